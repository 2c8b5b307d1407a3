#include "daemon/session/metadata.h"

#include <gtest/gtest.h>

#include <string>

namespace pycroscope {
namespace {

TEST(ContainerOf, FindsTheIdsOfContainers) {
  const std::string id = "4c01db0b339c4c01db0b339c4c01db0b339c4c01db0b339c4c01db0b339cabcd";
  for (const std::string& cgroup :
       {"/system.slice/docker-" + id + ".scope", "/docker/" + id, "/machine.slice/libpod-" + id + ".scope/container",
        "/kubepods.slice/kubepods-pod12ab.slice/cri-containerd-" + id + ".scope"})
    EXPECT_EQ(container_of(cgroup), id) << cgroup;
}

TEST(ContainerOf, FindsTheNamesOfContainers) {
  EXPECT_EQ(container_of("/lxc.payload.build/init.scope"), "build");
  EXPECT_EQ(container_of("/machine.slice/machine-web.scope/payload"), "web");
}

TEST(ContainerOf, IsEmptyForEverythingElse) {
  for (const char* cgroup : {"", "/", "/user.slice/user-1000.slice/session-2.scope", "/system.slice/cron.service",
                             "/machine.slice/other-web.scope", "/a/deadbeef"})
    EXPECT_EQ(container_of(cgroup), "") << cgroup;
}

}  // namespace
}  // namespace pycroscope
