#include "storage/sqlite/profile_rows.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "storage/sqlite/meta_rows.h"
#include "storage/sqlite/profile_row_writer.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kNextProfile[] = "next_profile";

int64_t ReadNextProfile(Database& db) { return MetaNumber(db, kNextProfile).value_or(1); }

size_t PositionOf(const ColumnSet& set, AttributeNumber attribute) {
  const auto& all = set.attributes;
  return std::lower_bound(all.begin(), all.end(), attribute) - all.begin();
}

bool Has(const ColumnSet& set, AttributeNumber attribute) {
  const size_t at = PositionOf(set, attribute);
  return at < set.attributes.size() && set.attributes[at] == attribute;
}

// `from` has the columns of `part`; those that the row has already may have been changed since and
// stay.
void Widen(ProfileRow& row, const ColumnSet& part, const std::vector<StoredValue>& from,
           const ColumnSet& both) {
  std::vector<StoredValue> values;
  values.reserve(both.attributes.size());
  for (AttributeNumber attribute : both.attributes) {
    values.push_back(Has(*row.set, attribute) ? row.ValueOf(attribute)
                                              : from[PositionOf(part, attribute)]);
  }
  row.values = std::move(values);
  row.set = &both;
}

}  // namespace

// Reads columns of rows; its statements are borrowed for its life.
class ProfileRows::Loader {
 public:
  Loader(ProfileRows& rows, const ColumnSet& set)
      : rows_(rows), set_(set), loaded_(set.attributes.size()) {
    for (const GroupColumns* group : set.groups) {
      statements_.push_back(
          std::make_unique<StatementScope>(rows.db_.PreparedGenerated(group->select_sql)));
    }
  }

  void Load(ProfileRow& row) {
    const bool first = row.set == nullptr;
    std::vector<StoredValue>& values = first ? row.values : loaded_;
    values.assign(set_.attributes.size(), StoredValue());
    size_t at = 0;
    for (size_t i = 0; i < statements_.size() && (i == 0 || row.exists); ++i) {
      Statement& statement = **statements_[i];
      if (statement.BindInt(1, row.id.value).Step()) {
        if (i == 0 && first) ReadHead(statement, row);
        ReadColumns(statement, i == 0 ? 2 : 0, values.data() + at);
      }
      at += set_.groups[i]->columns.size();
      statement.Reset();
    }
    first ? static_cast<void>(row.set = &set_)
          : Widen(row, set_, loaded_, rows_.sets_.Union(*row.set, set_));
  }

 private:
  static void ReadHead(Statement& statement, ProfileRow& row) {
    row.exists = true;
    row.known = statement.Bool(0);
    if (!statement.IsNull(1)) UnpackTimes(statement.Blob(1), row.times);
  }

  void ReadColumns(Statement& statement, int first, StoredValue* values) {
    const int count = statement.column_count();
    for (int column = first; column < count; ++column) *values++ = Read(statement, column);
  }

  StoredValue Read(Statement& statement, int column) {
    Cell cell;
    switch (statement.Type(column)) {
      case SQLITE_INTEGER:
        cell.kind = Cell::Kind::kInt;
        cell.integer = statement.Int(column);
        break;
      case SQLITE_FLOAT:
        cell.kind = Cell::Kind::kDouble;
        cell.real = statement.Double(column);
        break;
      case SQLITE_TEXT:
        cell.kind = Cell::Kind::kText;
        cell.text = rows_.arena_.Copy(statement.Text(column));
        break;
      default:
        break;
    }
    return StoredValue(cell);
  }

  ProfileRows& rows_;
  const ColumnSet& set_;
  std::vector<std::unique_ptr<StatementScope>> statements_;
  std::vector<StoredValue> loaded_;
};

ProfileRows::ProfileRows(Transaction& transaction, TextArena& arena)
    : db_(transaction.db()), arena_(arena) {}

ProfileRow& ProfileRows::RowOf(ProfileId profile) {
  ProfileRow*& row = by_id_[profile.value];
  if (row == nullptr) {
    row = &rows_.emplace_back();
    row->id = profile;
  }
  return *row;
}

bool ProfileRows::Covers(ProfileRow& row, const ColumnSet& set) {
  if (row.set == nullptr) return false;
  if (row.set == &set) return true;
  const ColumnSet& both = sets_.Union(*row.set, set);
  if (row.set == &both) return true;
  if (row.exists && !row.created) return false;
  Widen(row, set, std::vector<StoredValue>(set.attributes.size()), both);
  return true;
}

ProfileRow& ProfileRows::Get(ProfileId profile, const ColumnSet& set) {
  ProfileRow& row = RowOf(profile);
  if (!Covers(row, set)) Loader(*this, set).Load(row);
  return row;
}

void ProfileRows::Load(absl::Span<const ProfileId> profiles, const ColumnSet& set) {
  std::optional<Loader> loader;
  for (ProfileId profile : profiles) {
    ProfileRow& row = RowOf(profile);
    if (Covers(row, set)) continue;
    if (!loader.has_value()) loader.emplace(*this, set);
    loader->Load(row);
  }
}

ProfileRow& ProfileRows::Create() {
  if (next_profile_ == 0) next_profile_ = ReadNextProfile(db_);
  ProfileRow& row = RowOf(ProfileId{next_profile_++});
  row.exists = true;
  row.created = true;
  row.set = &sets_.Of({});
  row.values.clear();
  return row;
}

void ProfileRows::Flush(Transaction& transaction) {
  std::vector<ProfileRow*> changed;
  for (ProfileRow& row : rows_) {
    if (row.NeedsWriting()) changed.push_back(&row);
  }
  std::sort(changed.begin(), changed.end(),
            [](const ProfileRow* a, const ProfileRow* b) { return a->id < b->id; });
  WriteProfileRows(transaction, changed);
  if (next_profile_ != 0) SetMetaNumber(db_, kNextProfile, next_profile_);
}

}  // namespace passerelle::storage::sqlite
