#include "storage/sqlite/member_output.h"

#include <algorithm>

#include "storage/sqlite/reach_lists.h"

namespace passerelle::storage::sqlite {
namespace {

// The index has all it reads, values in order too. Walking on is much quicker than a look-up per
// profile, unless members lie far apart.
constexpr char kIdentities[] =
    "SELECT profile, namespace, value FROM identity INDEXED BY identity_profile"
    " WHERE profile >= ?1 ORDER BY profile, namespace";
constexpr int kStepsBeforeSeek = 16;

Exclusion ListedAs(int64_t blocks) {
  if ((blocks & kBlockSuppressed) != 0) return Exclusion::kSuppressed;
  if ((blocks & kBlockQuarantined) != 0) return Exclusion::kQuarantined;
  return blocks != 0 ? Exclusion::kDenylisted : Exclusion::kNone;
}

Cell CellAt(const Statement& row, int column) {
  Cell cell;
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
      cell.kind = Cell::Kind::kNull;
  }
  return cell;
}

}  // namespace

OutputPlan::OutputPlan(const Output& output, const Schema& schema)
    : channel_(output.channel), namespaces_(output.namespaces) {
  for (AttributeNumber attribute : output.attributes) {
    shown_.push_back({schema.FindAttribute(attribute) == nullptr});
    columns_.push_back(attribute);
  }
  if (!output.channel.empty()) {
    for (const Attribute* consent : schema.ConsentsFor(output.channel, output.purpose)) {
      consents_.push_back({static_cast<int>(columns_.size()), consent->consent->opt_in_required});
      columns_.push_back(consent->number);
    }
  }
  for (AttributeNumber attribute : output.mandatory) {
    if (schema.FindAttribute(attribute) == nullptr) continue;
    mandatory_.push_back(static_cast<int>(columns_.size()));
    columns_.push_back(attribute);
  }
}

Exclusion OutputPlan::Judge(const Statement& row, int first, int64_t blocks) const {
  bool opt_in_missing = false;
  for (const Decides& consent : consents_) {
    const bool unknown = row.IsNull(first + consent.column);
    if (!unknown && !row.Bool(first + consent.column)) return Exclusion::kOptedOut;
    opt_in_missing |= unknown && consent.opt_in_required;
  }
  if (opt_in_missing) return Exclusion::kNoOptIn;
  if (blocks != 0) return ListedAs(blocks);
  for (int column : mandatory_) {
    if (row.IsNull(first + column)) return Exclusion::kMandatoryMissing;
  }
  return Exclusion::kNone;
}

void OutputPlan::ReadCells(const Statement& row, int first, std::vector<Cell>& cells) const {
  cells.resize(shown_.size());
  for (size_t i = 0; i < shown_.size(); ++i) {
    if (shown_[i].gone) {
      cells[i] = Cell{Cell::Kind::kNull, 0, 0, {}};
    } else {
      cells[i] = CellAt(row, first + static_cast<int>(i));
    }
  }
}

void MemberRowReader::Read(const Statement& row, int first, MemberRow& member) {
  member.cells = {};
  member.identities = {};
  member.exclusion = row.IsNull(first)
                         ? Exclusion::kProfileDeleted
                         : plan_.Judge(row, first + 1, blocks_.At(member.profile).front());
  if (member.exclusion != Exclusion::kNone) return;
  plan_.ReadCells(row, first + 1, cells_);
  member.cells = cells_;
  ShowIdentities(member);
}

void MemberRowReader::ShowIdentities(MemberRow& member) {
  if (plan_.namespaces().empty()) return;
  ReadIdentities(member.profile);
  member.identities = views_;
}

// A profile may have several identities of a namespace; the first in order is shown.
void MemberRowReader::ReadIdentities(ProfileId profile) {
  const auto& wanted = plan_.namespaces();
  identities_.resize(wanted.size());
  views_.assign(wanted.size(), std::string_view());
  if (!SeekIdentities(profile)) return;
  Statement& list = **cursor_;
  while (cursor_profile_ == profile.value) {
    const NamespaceNumber ns{list.Int(1)};
    for (size_t i = 0; i < wanted.size(); ++i) {
      if (wanted[i] != ns || !views_[i].empty()) continue;
      identities_[i].assign(list.Text(2));
      views_[i] = identities_[i];
    }
    cursor_profile_ = list.Step() ? list.Int(0) : kForever;
  }
}

// True if the profile has identities; the cursor then stands on the first.
bool MemberRowReader::SeekIdentities(ProfileId profile) {
  if (cursor_.has_value() && cursor_profile_ <= profile.value) {
    for (int i = 0; i < kStepsBeforeSeek && cursor_profile_ < profile.value; ++i) {
      cursor_profile_ = (*cursor_)->Step() ? (*cursor_)->Int(0) : kForever;
    }
    if (cursor_profile_ >= profile.value) return cursor_profile_ == profile.value;
  }
  cursor_.reset();
  cursor_.emplace(db_.Prepared(kIdentities));
  (*cursor_)->BindInt(1, profile.value);
  cursor_profile_ = (*cursor_)->Step() ? (*cursor_)->Int(0) : kForever;
  return cursor_profile_ == profile.value;
}

}  // namespace passerelle::storage::sqlite
