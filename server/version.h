// The version that --version, the serving line and the log tell.
#pragma once

namespace passerelle {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace passerelle
