# cmake -DARCHIVE=page.archive -DSOURCE=page_archive.cpp -P EmbedPage.cmake: a file's bytes as a C++ source.
file(READ ${ARCHIVE} digits HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${digits}")
string(REGEX REPLACE "((0x..,){32})" "\\1\n" bytes "${bytes}")
file(WRITE ${SOURCE} "#include \"server/page_archive.h\"

namespace plm::server {

namespace {
constexpr unsigned char kBytes[] = {
${bytes}
};
}  // namespace

std::string_view page_archive() { return {reinterpret_cast<const char*>(kBytes), sizeof kBytes}; }

}  // namespace plm::server
")
