# Every package the C++ parts use. Protobuf before gRPC: gRPC's config asks for its target.
find_package(Threads REQUIRED)
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(absl CONFIG REQUIRED)
find_package(SQLiteCpp CONFIG REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(ZLIB REQUIRED)
find_package(CLI11 CONFIG REQUIRED)
find_package(spdlog CONFIG REQUIRED)
find_package(nlohmann_json CONFIG REQUIRED)
find_library(ROARING_LIBRARY roaring REQUIRED)
find_library(PHONENUMBER_LIBRARY phonenumber REQUIRED)
if(PASSERELLE_TESTS)
  find_package(GTest CONFIG REQUIRED)
endif()

# google/api and google/rpc protos: the value given, the folder tools/setup makes, or a system one.
if(NOT GOOGLEAPIS_PROTO_DIR)
  file(GLOB PASSERELLE_VENV_PROTOS ${PROJECT_SOURCE_DIR}/build/venv/lib/python3*/site-packages)
  unset(GOOGLEAPIS_FOUND CACHE)
  find_path(GOOGLEAPIS_FOUND google/api/annotations.proto
            PATHS ${PASSERELLE_VENV_PROTOS} ${PROJECT_SOURCE_DIR}/node_modules/google-proto-files
                  /usr/local/share/googleapis /usr/share/googleapis
            NO_DEFAULT_PATH)
  if(NOT GOOGLEAPIS_FOUND)
    message(FATAL_ERROR "google/api/annotations.proto not found. Run tools/setup, or give "
                        "-DGOOGLEAPIS_PROTO_DIR=DIR.")
  endif()
  set(GOOGLEAPIS_PROTO_DIR ${GOOGLEAPIS_FOUND} CACHE PATH "" FORCE)
endif()
