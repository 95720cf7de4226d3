#include "server/convert/values.h"

#include <cmath>

#include "server/convert/hash.h"
#include "server/convert/normalize.h"
#include "server/convert/text_list.h"
#include "server/convert/times.h"
#include "server/limits.h"

namespace passerelle {

using storage::AttributeType;
using storage::Cell;
using storage::RowReason;

std::string_view ValueReader::Keep(std::string_view value, const std::string& made) {
  return made == value ? value : bytes_->Keep(made);
}

RowReason ValueReader::Identity(const IdentityPlan& plan, std::string_view value,
                                CheckedIdentity* out) {
  const ValueProblem problem = NormalizeIdentity(plan.rules, value, &made_);
  if (problem != ValueProblem::kOk) return RowReasonOf(problem, plan.rules.shape);
  out->value = Keep(value, made_);
  out->derived = {};
  if (plan.derived) {
    Sha256Hex(out->value, &hex_);
    out->derived = bytes_->Keep(hex_);
  }
  return RowReason::kNone;
}

RowReason ValueReader::Text(Transform transform, std::string_view value, Cell* out) {
  out->kind = Cell::Kind::kText;
  if (transform == Transform::kNone) {
    out->text = value;
    return RowReasonOf(CheckText(value, kMaxValueBytes), IdentityShape::kText);
  }
  const ValueProblem problem = ApplyTransform(transform, value, &made_);
  if (problem != ValueProblem::kOk) return RowReasonOf(problem, IdentityShape::kText);
  out->text = Keep(value, made_);
  return RowReason::kNone;
}

RowReason ValueReader::WrittenIdentity(Transform transform, const IdentityPlan& plan,
                                       std::string_view value, WrittenCell out) {
  out.cell->kind = Cell::Kind::kNull;
  if (value.empty()) return RowReason::kNone;
  Cell transformed;
  RowReason reason = Text(transform, value, &transformed);
  CheckedIdentity made;
  if (reason == RowReason::kNone) reason = Identity(plan, transformed.text, &made);
  if (reason != RowReason::kNone) return reason;
  out.cell->kind = Cell::Kind::kText;
  out.cell->text = made.value;
  *out.derived = made.derived;
  return RowReason::kNone;
}

RowReason ValueReader::Integer(AttributeType type, int64_t value, Cell* out) {
  out->kind = Cell::Kind::kInt;
  out->integer = value;
  if (type == AttributeType::kTimestamp && !IsTimeInRange(value)) return RowReason::kOutOfRange;
  if (type == AttributeType::kDate && !IsDateInRange(value)) return RowReason::kOutOfRange;
  return RowReason::kNone;
}

RowReason ValueReader::Real(double value, Cell* out) {
  out->kind = Cell::Kind::kDouble;
  out->real = value;
  return std::isfinite(value) ? RowReason::kNone : RowReason::kNotFinite;
}

void ValueReader::Bool(bool value, Cell* out) {
  out->kind = Cell::Kind::kInt;
  out->integer = value ? 1 : 0;
}

RowReason ValueReader::AddElement(std::string_view value) {
  const ValueProblem problem = CheckText(value, kMaxValueBytes);
  if (problem != ValueProblem::kOk) return RowReasonOf(problem, IdentityShape::kText);
  AppendListElement(value, &list_);
  return list_.size() >= kMaxValueBytes ? RowReason::kValueTooLong : RowReason::kNone;
}

RowReason ValueReader::EndList(Cell* out) {
  list_.push_back(']');
  out->kind = Cell::Kind::kText;
  out->text = bytes_->Keep(list_);
  return RowReason::kNone;
}

}  // namespace passerelle
