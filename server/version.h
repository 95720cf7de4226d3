// The version that --version, the serving line and the log tell.
#ifndef PASSERELLE_SERVER_VERSION_H_
#define PASSERELLE_SERVER_VERSION_H_

namespace passerelle {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace passerelle

#endif  // PASSERELLE_SERVER_VERSION_H_
