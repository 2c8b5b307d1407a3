// Sessions that the members of a group may see.
#include <sys/stat.h>

#include "tests/unit/daemon/store/fixtures.h"

namespace pycroscope {
namespace {

constexpr uid_t kOwner = 12345, kFriend = 12346, kStranger = 12347;
constexpr gid_t kTeam = 23456, kOtherTeam = 23457;

class ShareTest : public StoreTest {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "giving sessions to users needs root";
    auto writer = store().create({}, owner_);
    ASSERT_TRUE(writer) << writer.error().message;
    id_ = (*writer)->session().id();
    ASSERT_TRUE((*writer)->finish(v1::SESSION_STATE_COMPLETE));
  }
  bool sees(const StoreUser& user) const {
    const bool found = store().find(id_, user).has_value();
    EXPECT_EQ(store().list(user)->sessions.size(), found ? 1u : 0u);
    EXPECT_EQ(store().read(id_, user).has_value(), found);
    return found;
  }

  const StoreUser owner_{kOwner, kOwner, {kOwner, kTeam}};
  const StoreUser friend_{kFriend, kFriend, {kFriend, kTeam}};
  const StoreUser stranger_{kStranger, kStranger, {kStranger, kOtherTeam}};
  std::string id_;
};

TEST_F(ShareTest, NobodyElseSeesASessionAtFirst) {
  EXPECT_TRUE(sees(owner_));
  EXPECT_FALSE(sees(friend_));
  EXPECT_FALSE(sees(stranger_));
  // Not even those whose group is the owner's own.
  EXPECT_FALSE(sees({kStranger, kStranger, {kOwner}}));
}

TEST_F(ShareTest, TheMembersOfTheGroupSeeItUntilItIsSharedNoMore) {
  const auto shared = store().share(id_, kTeam, owner_);
  ASSERT_TRUE(shared) << shared.error().message;
  EXPECT_EQ(shared->shared_with(), std::to_string(kTeam));
  EXPECT_EQ(shared->owner_uid(), kOwner);
  EXPECT_TRUE(sees(friend_));
  EXPECT_FALSE(sees(stranger_));
  const auto own_again = store().share(id_, std::nullopt, owner_);
  ASSERT_TRUE(own_again);
  EXPECT_EQ(own_again->shared_with(), "");
  EXPECT_FALSE(sees(friend_));
  EXPECT_TRUE(sees(owner_));
}

TEST_F(ShareTest, OnlyTheOwnerAndRootChangeIt) {
  ASSERT_TRUE(store().share(id_, kTeam, owner_));
  const std::vector<std::string> ids{id_};
  EXPECT_EQ(store().remove(ids, friend_).error().code, ErrorCode::kNotPermitted);
  EXPECT_EQ(store().remove(ids, stranger_).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store().share(id_, kOtherTeam, friend_).error().code, ErrorCode::kNotPermitted);
  EXPECT_TRUE(store().prune(0, std::nullopt, friend_)->ids.empty());
  EXPECT_TRUE(sees(owner_));
  EXPECT_EQ(store().remove(ids, self_)->ids, ids);
}

TEST_F(ShareTest, LatestIsAlwaysOnesOwn) {
  ASSERT_TRUE(store().share(id_, kTeam, owner_));
  EXPECT_FALSE(store().find("latest", friend_));
  EXPECT_EQ(*store().count(friend_), 0u);
  EXPECT_EQ(*store().count(owner_), 1u);
}

TEST_F(ShareTest, ARecordingCanBeShared) {
  auto writer = store().create({}, owner_);
  ASSERT_TRUE(writer);
  const std::string id = (*writer)->session().id();
  ASSERT_TRUE(store().share(id, kTeam, owner_));
  ASSERT_TRUE((*writer)->sync());
  EXPECT_TRUE(store().find(id, friend_));
  ASSERT_TRUE((*writer)->finish(v1::SESSION_STATE_COMPLETE));
  EXPECT_TRUE(store().read(id, friend_));
  EXPECT_FALSE(store().read(id, stranger_));
}

TEST_F(ShareTest, RetentionOfOneOwnerLeavesTheOthersAlone) {
  auto writer = store().create({}, friend_);
  ASSERT_TRUE(writer);
  ASSERT_TRUE((*writer)->finish(v1::SESSION_STATE_COMPLETE));
  const auto deleted = store().prune_of(kOwner, 0, std::nullopt);
  ASSERT_TRUE(deleted);
  EXPECT_EQ(deleted->ids, std::vector<std::string>{id_});
  EXPECT_EQ(store().list(self_)->sessions.size(), 1u);
}

}  // namespace
}  // namespace pycroscope
