#include "storage/sqlite/privacy_logs.h"

#include "storage/sqlite/person_data.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr int64_t kPageRows = 4'000;
// Pages without a find between two positions that are written down.
constexpr int kQuietPages = 25;

constexpr char kBegin[] =
    "INSERT INTO privacy_work(request, searched_seq, cleared_seq, cleared_rows) "
    "VALUES (?1, 0, 0, 0) ON CONFLICT DO NOTHING";
constexpr char kBeginAnew[] =
    "UPDATE privacy_work SET searched_seq = 0, cleared_seq = 0 WHERE request = ?1";
constexpr char kEndWork[] = "DELETE FROM privacy_work WHERE request = ?1";
constexpr char kEndMessages[] = "DELETE FROM privacy_message WHERE request = ?1";
constexpr char kLoad[] =
    "SELECT searched_seq, cleared_seq, cleared_rows FROM privacy_work WHERE request = ?1";
constexpr char kSetSearched[] = "UPDATE privacy_work SET searched_seq = ?2 WHERE request = ?1";
constexpr char kSetCleared[] =
    "UPDATE privacy_work SET cleared_seq = ?2, cleared_rows = cleared_rows + ?3 WHERE request = ?1";
constexpr char kAddMessage[] =
    "INSERT INTO privacy_message(request, delivery, broadlog_id) VALUES (?1, ?2, ?3) "
    "ON CONFLICT DO NOTHING";
constexpr char kMessages[] =
    "SELECT delivery, broadlog_id FROM privacy_message WHERE request = ?1 "
    "ORDER BY delivery, broadlog_id";
constexpr char kSearch[] =
    "SELECT seq, delivery, broadlog_id, profile, namespace, identity FROM log WHERE seq > ?1 "
    "ORDER BY seq LIMIT ?2";
// With whether anything is left of what an erasure empties.
constexpr char kSearchAgain[] =
    "SELECT seq, delivery, broadlog_id, profile, namespace, identity, "
    "coalesce(profile, namespace, identity, reason_message, url, url_category) IS NOT NULL "
    "FROM log WHERE seq > ?1 ORDER BY seq LIMIT ?2";
// The message is of somebody who was erased, as are all rows that come for it.
constexpr char kForgetIdentity[] =
    "UPDATE message SET identity_seq = -1 WHERE (delivery, broadlog_id) = "
    "(SELECT delivery, broadlog_id FROM log WHERE seq = ?1) AND identity_seq IS NOT -1";
constexpr char kWalk[] =
    "SELECT seq, delivery, broadlog_id FROM log WHERE seq > ?1 ORDER BY seq LIMIT ?2";

absl::Status StoppedError() { return absl::CancelledError("the instance is being closed"); }

}  // namespace

PersonLogs::PersonLogs(InstanceContext& context, SearchedPerson& person,
                       const std::atomic<bool>& stop)
    : context_(context), person_(person), stop_(stop) {}

absl::Status PersonLogs::CheckRunning() const { return stop_ ? StoppedError() : absl::OkStatus(); }

absl::Status PersonLogs::Begin() {
  const auto begin = [&](Transaction& transaction) {
    StatementScope(transaction.db().Prepared(kBegin))->BindAll(person_.request).Run();
    return absl::OkStatus();
  };
  return context_.logs->Write(begin, WriteKind::kRelieving).status();
}

absl::Status PersonLogs::BeginAnew() {
  const auto begin = [&](Transaction& transaction) {
    StatementScope(transaction.db().Prepared(kBeginAnew))->BindAll(person_.request).Run();
    return absl::OkStatus();
  };
  return context_.logs->Write(begin, WriteKind::kRelieving).status();
}

absl::Status PersonLogs::End() {
  const auto end = [&](Transaction& transaction) {
    for (const char* sql : {kEndWork, kEndMessages}) {
      StatementScope(transaction.db().Prepared(sql))->BindAll(person_.request).Run();
    }
    return absl::OkStatus();
  };
  return context_.logs->Write(end, WriteKind::kRelieving).status();
}

absl::StatusOr<PersonLogs::Work> PersonLogs::LoadWork() const {
  Work work;
  RETURN_IF_ERROR(context_.logs->Read({}, "privacy: position", [&](const ReadLease& lease) {
    StatementScope load(lease.db().Prepared(kLoad));
    load->BindAll(person_.request);
    if (load->Step()) work = {load->Int(0), load->Int(1), load->Int(2)};
    return absl::OkStatus();
  }));
  return work;
}

absl::StatusOr<PersonLogs::Page> PersonLogs::SearchPage(
    int64_t after, const absl::flat_hash_set<Message>* cleared) {
  RETURN_IF_ERROR(CheckRunning());
  Page page;
  RETURN_IF_ERROR(context_.logs->Read({}, "privacy: search", [&](const ReadLease& lease) {
    page = {after, lease.seq(), false, {}, {}, {}};
    StatementScope rows(lease.db().Prepared(cleared == nullptr ? kSearch : kSearchAgain));
    rows->BindAll(after, kPageRows);
    int64_t seen = 0;
    for (; rows->Step(); ++seen) {
      page.last_seq = rows->Int(0);
      const bool of_profile = person_.profiles.contains(rows->Int(3));
      const bool named =
          !rows->IsNull(4) && person_.matcher.Matches({rows->Text(4), rows->Text(5)});
      const Message message(rows->Int(1), rows->Int(2));
      const bool is_left = cleared != nullptr && rows->Bool(6) && cleared->contains(message);
      if (of_profile || named || is_left) page.messages.push_back(message);
      if (of_profile && !named && !rows->IsNull(4)) {
        page.former.emplace_back(rows->Text(4), rows->Text(5));
      }
    }
    page.more = seen == kPageRows;
    return absl::OkStatus();
  }));
  return page;
}

absl::StatusOr<PersonLogs::Page> PersonLogs::MessagePage(
    int64_t after, const absl::flat_hash_set<Message>& messages) {
  RETURN_IF_ERROR(CheckRunning());
  Page page;
  RETURN_IF_ERROR(context_.logs->Read({}, "privacy: rows", [&](const ReadLease& lease) {
    page = {after, lease.seq(), false, {}, {}, {}};
    StatementScope rows(lease.db().Prepared(kWalk));
    rows->BindAll(after, kPageRows);
    int64_t seen = 0;
    for (; rows->Step(); ++seen) {
      page.last_seq = rows->Int(0);
      if (messages.contains(Message(rows->Int(1), rows->Int(2)))) page.rows.push_back(rows->Int(0));
    }
    page.more = seen == kPageRows;
    return absl::OkStatus();
  }));
  return page;
}

absl::Status PersonLogs::SaveFound(const Page& page) {
  const auto save = [&](Transaction& transaction) {
    Database& db = transaction.db();
    for (const auto& [delivery, broadlog_id] : page.messages) {
      StatementScope(db.Prepared(kAddMessage))
          ->BindAll(person_.request, delivery, broadlog_id)
          .Run();
    }
    StatementScope(db.Prepared(kSetSearched))->BindAll(person_.request, page.last_seq).Run();
    return absl::OkStatus();
  };
  return context_.logs->Write(save, WriteKind::kRelieving).status();
}

absl::Status PersonLogs::Search(TakeNames take_former, const Progress& progress) {
  ASSIGN_OR_RETURN(const Work work, LoadWork());
  Page page;
  page.last_seq = work.cleared_seq == 0 ? 0 : work.searched_seq;
  page.more = true;
  for (int quiet = 0; page.more;) {
    ASSIGN_OR_RETURN(page, SearchPage(page.last_seq, nullptr));
    const bool saves = !page.messages.empty() || !page.more || ++quiet == kQuietPages;
    if (!saves) continue;
    quiet = 0;
    if (!page.former.empty()) RETURN_IF_ERROR(take_former(page.former));
    RETURN_IF_ERROR(SaveFound(page));
    RETURN_IF_ERROR(progress(page.last_seq, 2 * page.end_seq));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<PersonLogs::Message>> PersonLogs::Messages() const {
  std::vector<Message> messages;
  RETURN_IF_ERROR(context_.logs->Read({}, "privacy: messages", [&](const ReadLease& lease) {
    messages.clear();
    StatementScope list(lease.db().Prepared(kMessages));
    list->BindAll(person_.request);
    while (list->Step()) messages.emplace_back(list->Int(0), list->Int(1));
    return absl::OkStatus();
  }));
  return messages;
}

absl::Status PersonLogs::ClearRows(const Page& page) {
  const char* clear = FindPersonTable(FileKind::kLogs, "log")->erase_by_number;
  const auto write = [&](Transaction& transaction) {
    Database& db = transaction.db();
    int64_t cleared = 0;
    for (const int64_t seq : page.rows) {
      StatementScope(db.Prepared(clear))->BindAll(seq).Run();
      cleared += sqlite3_changes64(db.handle());
      StatementScope(db.Prepared(kForgetIdentity))->BindAll(seq).Run();
    }
    StatementScope(db.Prepared(kSetCleared))
        ->BindAll(person_.request, page.last_seq, cleared)
        .Run();
    return absl::OkStatus();
  };
  return context_.logs->Write(write, WriteKind::kRelieving).status();
}

absl::StatusOr<int64_t> PersonLogs::Clear(const Progress& progress) {
  ASSIGN_OR_RETURN(const auto found, Messages());
  const absl::flat_hash_set<Message> messages(found.begin(), found.end());
  ASSIGN_OR_RETURN(const Work work, LoadWork());
  Page page;
  page.last_seq = work.cleared_seq;
  page.more = !messages.empty();
  for (int quiet = 0; page.more;) {
    ASSIGN_OR_RETURN(page, MessagePage(page.last_seq, messages));
    const bool saves = !page.rows.empty() || !page.more || ++quiet == kQuietPages;
    if (!saves) continue;
    quiet = 0;
    RETURN_IF_ERROR(ClearRows(page));
    RETURN_IF_ERROR(progress(page.end_seq + page.last_seq, 2 * page.end_seq));
  }
  ASSIGN_OR_RETURN(const Work done, LoadWork());
  return done.cleared_rows;
}

absl::Status PersonLogs::Visit(absl::FunctionRef<absl::Status(const std::vector<int64_t>&)> take,
                               const Progress& progress) {
  ASSIGN_OR_RETURN(const auto found, Messages());
  const absl::flat_hash_set<Message> messages(found.begin(), found.end());
  Page page;
  page.more = !messages.empty();
  while (page.more) {
    ASSIGN_OR_RETURN(page, MessagePage(page.last_seq, messages));
    if (!page.rows.empty()) RETURN_IF_ERROR(take(page.rows));
    RETURN_IF_ERROR(progress(page.end_seq + page.last_seq, 2 * page.end_seq));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<PersonLogs::Message>> PersonLogs::FindAgain() {
  ASSIGN_OR_RETURN(const auto before, Messages());
  const absl::flat_hash_set<Message> cleared(before.begin(), before.end());
  std::vector<Message> found;
  Page page;
  page.more = true;
  while (page.more) {
    ASSIGN_OR_RETURN(page, SearchPage(page.last_seq, &cleared));
    found.insert(found.end(), page.messages.begin(), page.messages.end());
  }
  return found;
}

}  // namespace passerelle::storage::sqlite
