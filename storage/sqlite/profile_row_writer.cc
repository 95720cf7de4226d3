#include "storage/sqlite/profile_row_writer.h"

#include <memory>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "storage/sqlite/columns.h"
#include "storage/sqlite/profile_edits.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kSetTimes[] = "UPDATE profile SET times = ?2 WHERE id = ?1";
constexpr char kAddChange[] =
    "INSERT INTO change(seq, kind, profile, audience, mask) VALUES (?1, ?2, ?3, NULL, ?4)";
constexpr char kGreatestAttribute[] = "SELECT max(number) FROM attribute";

class RowWriter {
 public:
  explicit RowWriter(Transaction& transaction)
      : transaction_(transaction),
        db_(transaction.db()),
        add_change_(transaction.db().Prepared(kAddChange)) {}

  void Write(const ProfileRow& row) {
    if (row.deleted) return Delete(row);
    PackTimes(row.times, times_);
    if (row.created) {
      Insert(row);
    } else if (row.values_changed || row.known_changed || row.identities_changed) {
      Update(row);
    } else {
      SetTimes(row);
    }
  }

 private:
  // One statement per text for the whole pass: different sets of columns share groups.
  Statement& Borrow(const std::string& sql) {
    std::unique_ptr<StatementScope>& scope = borrowed_[&sql];
    if (scope == nullptr) scope = std::make_unique<StatementScope>(db_.PreparedGenerated(sql));
    return **scope;
  }

  void BindTimes(Statement& statement, int parameter) {
    times_.empty() ? statement.BindNull(parameter) : statement.BindBlob(parameter, times_);
  }

  static void BindValue(Statement& statement, int parameter, const StoredValue& value) {
    switch (value.kind) {
      case Cell::Kind::kInt:
        statement.BindInt(parameter, value.integer);
        break;
      case Cell::Kind::kDouble:
        statement.BindDouble(parameter, value.real);
        break;
      case Cell::Kind::kText:
        statement.BindText(parameter, value.view());
        break;
      default:
        statement.BindNull(parameter);
    }
  }

  void Insert(const ProfileRow& row) {
    const GroupColumns& group = *row.set->groups.front();
    Statement& insert = Borrow(group.insert_sql);
    insert.BindInt(1, row.id.value).BindInt(2, transaction_.commit_us()).BindBool(3, row.known);
    BindTimes(insert, 4);
    BindColumns(insert, 5, group, row.values.data());
    insert.Run();
    WriteOtherGroups(row);
    AddChange(ChangeKind::kCreated, row);
  }

  void Update(const ProfileRow& row) {
    const GroupColumns& group = *row.set->groups.front();
    Statement& update = Borrow(group.update_sql);
    update.BindInt(1, row.id.value).BindInt(2, transaction_.commit_us()).BindBool(3, row.known);
    BindTimes(update, 4);
    BindColumns(update, 5, group, row.values.data());
    update.Run();
    WriteOtherGroups(row);
    if (row.values_changed) AddChange(ChangeKind::kAttributes, row);
    if (row.identities_changed) AddChange(ChangeKind::kIdentities, row);
  }

  void SetTimes(const ProfileRow& row) {
    StatementScope set(db_.Prepared(kSetTimes));
    set->BindInt(1, row.id.value);
    BindTimes(*set, 2);
    set->Run();
  }

  static void BindColumns(Statement& statement, int parameter, const GroupColumns& group,
                          const StoredValue* values) {
    for (size_t i = 0; i < group.columns.size(); ++i) {
      BindValue(statement, parameter++, *values++);
    }
  }

  // A group that nothing changed in keeps its row, or its lack of one.
  void WriteOtherGroups(const ProfileRow& row) {
    size_t at = row.set->groups.front()->columns.size();
    for (size_t i = 1; i < row.set->groups.size(); ++i) {
      const GroupColumns& group = *row.set->groups[i];
      const StoredValue* values = row.values.data() + at;
      at += group.columns.size();
      if (!AnyChanged(values, group.columns.size())) continue;
      Statement& upsert = Borrow(group.update_sql);
      upsert.BindInt(1, row.id.value);
      BindColumns(upsert, 2, group, values);
      upsert.Run();
    }
  }

  static bool AnyChanged(const StoredValue* values, size_t count) {
    for (size_t i = 0; i < count; ++i) {
      if (values[i].changed) return true;
    }
    return false;
  }

  void Delete(const ProfileRow& row) {
    if (groups_ == 0) {
      const int64_t greatest = db_.QueryInt(kGreatestAttribute);
      groups_ = greatest == 0 ? 1 : ColumnGroupOf(AttributeNumber{greatest}) + 1;
    }
    for (int group = 0; group < groups_; ++group) {
      StatementScope remove(db_.PreparedGenerated(DeleteFromGroupSql(group)));
      remove->BindInt(1, row.id.value).Run();
    }
    AddChange(ChangeKind::kDeleted, row);
  }

  void AddChange(ChangeKind kind, const ProfileRow& row) {
    add_change_->BindInt(1, transaction_.NextSeq())
        .BindInt(2, static_cast<int64_t>(kind))
        .BindInt(3, row.id.value);
    const bool has_mask = kind == ChangeKind::kCreated || kind == ChangeKind::kAttributes;
    if (has_mask) {
      MakeMask(row);
      add_change_->BindBlob(4, mask_);
    } else {
      add_change_->BindNull(4);
    }
    add_change_->Run();
  }

  void MakeMask(const ProfileRow& row) {
    mask_.clear();
    for (size_t i = 0; i < row.values.size(); ++i) {
      if (!row.values[i].changed) continue;
      const auto bit = static_cast<size_t>(row.set->attributes[i].value - 1);
      if (mask_.size() <= bit / 8) mask_.resize(bit / 8 + 1, '\0');
      mask_[bit / 8] = static_cast<char>(mask_[bit / 8] | (1 << (bit % 8)));
    }
  }

  Transaction& transaction_;
  Database& db_;
  StatementScope add_change_;
  absl::flat_hash_map<const std::string*, std::unique_ptr<StatementScope>> borrowed_;
  std::string times_;
  std::string mask_;
  int groups_ = 0;  // tables; 0: not counted yet
};

}  // namespace

void WriteProfileRows(Transaction& transaction, const std::vector<ProfileRow*>& rows) {
  RowWriter writer(transaction);
  for (const ProfileRow* row : rows) writer.Write(*row);
}

}  // namespace passerelle::storage::sqlite
