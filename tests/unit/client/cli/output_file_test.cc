#include "client/cli/output_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "client/cli/session_source.h"

namespace pycroscope {
namespace fs = std::filesystem;
namespace {

std::string content(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

size_t files_in(const fs::path& folder) {
  return static_cast<size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

class OutputFileTest : public testing::Test {
 protected:
  OutputFileTest() : folder_(TemporaryDirectory::create().value()), path_(folder_.path() / "out.txt") {}
  TemporaryDirectory folder_;
  fs::path path_;
};

TEST_F(OutputFileTest, IsThereAfterCommitOnly) {
  Result<OutputFile> file = OutputFile::create(path_);
  ASSERT_TRUE(file);
  ASSERT_TRUE(file->write("hello\n"));
  EXPECT_FALSE(fs::exists(path_));
  ASSERT_TRUE(file->commit());
  EXPECT_EQ(content(path_), "hello\n");
  EXPECT_EQ(files_in(folder_.path()), 1u);
}

TEST_F(OutputFileTest, LeavesNothingBehindWithoutCommit) {
  std::ofstream(path_) << "before";
  {
    Result<OutputFile> file = OutputFile::create(path_);
    ASSERT_TRUE(file);
    ASSERT_TRUE(file->write("half"));
  }
  EXPECT_EQ(content(path_), "before");
  EXPECT_EQ(files_in(folder_.path()), 1u);
}

TEST_F(OutputFileTest, WritesThroughALink) {
  const fs::path link = folder_.path() / "link";
  std::ofstream(path_) << "old";
  fs::create_symlink(path_, link);
  Result<OutputFile> file = OutputFile::create(link);
  ASSERT_TRUE(file && file->write("new") && file->commit());
  EXPECT_TRUE(fs::is_symlink(link));
  EXPECT_EQ(content(path_), "new");
}

TEST_F(OutputFileTest, SaysWhatIsWrongBeforehand) {
  EXPECT_TRUE(OutputFile::check(path_));
  EXPECT_TRUE(OutputFile::check("-"));
  EXPECT_NE(OutputFile::check(folder_.path() / "missing" / "out").error().message.find("there is no folder"),
            std::string::npos);
  EXPECT_NE(OutputFile::check(folder_.path()).error().message.find("is a folder"), std::string::npos);
}

TEST_F(OutputFileTest, AFullDiskIsAnError) {
  Result<OutputFile> file = OutputFile::create("/dev/full");
  ASSERT_TRUE(file);
  const Status written = file->write(std::string(1 << 20, 'x'));
  const Status status = written ? file->commit() : written;
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kNoSpace);
}

}  // namespace
}  // namespace pycroscope
