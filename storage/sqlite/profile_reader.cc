#include "storage/sqlite/profile_reader.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "storage/sqlite/columns.h"
#include "storage/sqlite/profile_times.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kIdentities[] =
    "SELECT namespace, value FROM identity WHERE profile = ?1 AND derived = 0 "
    "ORDER BY namespace, value";
constexpr int kFirstAttribute = 5;  // column of SelectProfileSql

OwnedCell ReadCell(const Statement& row, int column) {
  OwnedCell cell;
  switch (row.Type(column)) {
    case SQLITE_INTEGER:
      cell.kind = Cell::Kind::kInt;
      cell.integer = row.Int(column);
      break;
    case SQLITE_FLOAT:
      cell.kind = Cell::Kind::kDouble;
      cell.real = row.Double(column);
      break;
    case SQLITE_TEXT:
      cell.kind = Cell::Kind::kText;
      cell.text = row.Text(column);
      break;
    default:
      break;
  }
  return cell;
}

}  // namespace

ProfileReader::ProfileReader(Database& db, const Schema& schema) : db_(db), schema_(schema) {
  for (const Attribute& attribute : schema.attributes()) columns_.push_back(attribute.number);
  std::sort(columns_.begin(), columns_.end());
  sql_ = SelectProfileSql(columns_);
}

bool ProfileReader::Read(ProfileId id, Profile& profile) {
  StatementScope row(db_.PreparedGenerated(sql_));
  if (!row->BindInt(1, id.value).Step()) return false;
  profile.id = id;
  profile.known = row->Bool(1);
  profile.create_us = row->Int(2);
  profile.update_us = row->Int(3);
  ReadTimes(*row, profile);
  for (size_t i = 0; i < columns_.size(); ++i) {
    const int column = kFirstAttribute + static_cast<int>(i);
    if (!row->IsNull(column)) profile.attributes.emplace_back(columns_[i], ReadCell(*row, column));
  }
  ReadIdentities(profile);
  return true;
}

void ProfileReader::ReadTimes(const Statement& row, Profile& profile) {
  std::vector<AttributeTime> times;
  UnpackTimes(row.Blob(4), times);
  for (const AttributeTime& time : times) {
    if (schema_.FindAttribute(time.attribute) == nullptr) continue;
    profile.attribute_times_us.emplace_back(time.attribute, time.us);
    if (time.source != 0) {
      profile.consent_sources.emplace_back(time.attribute, SourceOf(time.source));
    }
  }
}

void ProfileReader::ReadIdentities(Profile& profile) {
  StatementScope get(db_.Prepared(kIdentities));
  get->BindInt(1, profile.id.value);
  while (get->Step()) {
    profile.identities.emplace_back(NamespaceNumber{get->Int(0)}, std::string(get->Text(1)));
  }
}

}  // namespace passerelle::storage::sqlite
