#include "daemon/serve/socket_server.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <malloc.h>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "daemon/os/file.h"
#include "daemon/serve/bound_server.h"
#include "daemon/serve/listener.h"
#include "daemon/serve/peer.h"

namespace pycroscope {
namespace {

using Clock = std::chrono::steady_clock;

// A server without connections is kept this long for the next command of the same user.
constexpr auto kIdle = std::chrono::seconds(30);
// Refusals are logged at most this often: whoever provokes them must not fill the log.
constexpr auto kRefusalLog = std::chrono::seconds(1);
// Above so much memory in use connections are closed whose other side has left so much unread: what we have to say to
// it piles up here.
constexpr size_t kMuchMemory = size_t{256} << 20;
constexpr int kMuchUnread = 64 << 10;
constexpr auto kSheddingInterval = std::chrono::seconds(1);
// A user has several identities with other groups or in other user namespaces; each costs threads.
constexpr size_t kIdentitiesPerUser = 8;
// How long accepting rests when descriptors have run out.
constexpr auto kExhausted = std::chrono::milliseconds(100);

// All that a caller may do depends on these.
using Identity = std::tuple<uid_t, gid_t, std::vector<gid_t>, uint64_t>;

Identity identity_of(const Caller& caller) { return {caller.uid, caller.gid, caller.groups, caller.user_namespace}; }

struct BoundCaller {
  BoundCaller(Engine& engine, const Caller& caller) : uid(caller.uid), server(engine, caller) {}
  uid_t uid;
  size_t connections = 0;
  Clock::time_point idle_since = Clock::now();
  BoundServer server;
};

Status watch(const Fd& epoll, int fd, uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) == 0) return {};
  return fail(ErrorCode::kFailed, "cannot watch a descriptor: " + errno_text(errno));
}

}  // namespace

// run()'s thread owns all of it but `wake`.
struct SocketServer::State {
  State(Engine& engine_in, Limits limits_in, Listener listener_in, Fd epoll_in, Fd wake_in)
      : engine(engine_in),
        limits(limits_in),
        listener(std::move(listener_in)),
        epoll(std::move(epoll_in)),
        wake(std::move(wake_in)) {}

  void accept_all();
  void admit(Fd connection);
  void refuse(std::string_view why);
  void connection_ended(int watched);
  void release_idle();
  void shed_who_does_not_read();
  // Whether the user may have one identity more; gives up those without connections for it.
  bool has_room_for_identity(uid_t uid);
  // Ends a server, in a thread of its own: a call that hangs must hold up nobody else.
  void retire(std::unique_ptr<BoundCaller> caller);
  size_t connections_of(uid_t uid) const;

  // A second descriptor of a connection that gRPC owns. It reports EPOLLHUP when either side has closed, which is the
  // only way to learn of it.
  struct Connection {
    Fd watched;
    Identity identity;
  };

  Engine& engine;
  const Limits limits;
  Listener listener;
  Fd epoll;
  Fd wake;
  std::map<Identity, std::unique_ptr<BoundCaller>> callers;
  std::vector<std::future<void>> retired;
  std::unordered_map<int, Connection> connections;  // by watched descriptor
  Clock::time_point next_refusal_log = Clock::now();
  Clock::time_point next_shedding = Clock::now();
};

size_t SocketServer::State::connections_of(uid_t uid) const {
  size_t count = 0;
  for (const auto& [identity, caller] : callers) count += caller->uid == uid ? caller->connections : 0;
  return count;
}

void SocketServer::State::retire(std::unique_ptr<BoundCaller> caller) {
  std::erase_if(retired, [](auto& end) { return end.wait_for(Clock::duration::zero()) == std::future_status::ready; });
  // Where there can be no thread more it waits for the end of the service.
  retired.push_back(std::async(std::launch::async | std::launch::deferred,
                               [ending = std::move(caller)]() mutable { ending.reset(); }));
}

bool SocketServer::State::has_room_for_identity(uid_t uid) {
  size_t count = 0;
  for (auto entry = callers.begin(); entry != callers.end();) {
    const bool is_idle = entry->second->uid == uid && entry->second->connections == 0;
    count += entry->second->uid == uid ? 1 : 0;
    if (is_idle && count >= kIdentitiesPerUser) {
      retire(std::move(entry->second));
      entry = callers.erase(entry);
      --count;
    } else {
      ++entry;
    }
  }
  return count < kIdentitiesPerUser;
}

void SocketServer::State::refuse(std::string_view why) {
  if (Clock::now() < next_refusal_log) return;
  next_refusal_log = Clock::now() + kRefusalLog;
  spdlog::warn("connection refused: {}", why);
}

void SocketServer::State::admit(Fd connection) {
  const Result<Caller> caller = peer_of(connection);
  if (!caller) return refuse(caller.error().message);
  if (connections.size() >= limits.connections || connections_of(caller->uid) >= limits.connections_per_user) {
    return refuse("uid " + std::to_string(caller->uid) + " or all together have too many");
  }
  Fd watched(::fcntl(connection.get(), F_DUPFD_CLOEXEC, 0));
  if (!watched || !watch(epoll, watched.get(), 0)) return refuse("out of descriptors");

  Identity identity = identity_of(*caller);
  if (!callers.contains(identity) && !has_room_for_identity(caller->uid)) {
    return refuse("uid " + std::to_string(caller->uid) + " has too many identities");
  }
  std::unique_ptr<BoundCaller>& bound = callers[identity];
  if (!bound) bound = std::make_unique<BoundCaller>(engine, *caller);
  ++bound->connections;
  bound->server.add(std::move(connection));
  const int key = watched.get();
  connections.emplace(key, Connection{std::move(watched), std::move(identity)});
}

void SocketServer::State::accept_all() {
  while (true) {
    Fd connection = listener.accept();
    if (connection) {
      admit(std::move(connection));
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      spdlog::warn("cannot accept connections: {}", errno_text(errno));
      std::this_thread::sleep_for(kExhausted);
      return;
    } else if (errno != EINTR && errno != ECONNABORTED) {
      return;
    }
  }
}

void SocketServer::State::connection_ended(int watched) {
  const auto found = connections.find(watched);
  if (found == connections.end()) return;
  BoundCaller& caller = *callers.at(found->second.identity);
  --caller.connections;
  caller.idle_since = Clock::now();
  connections.erase(found);
}

void SocketServer::State::release_idle() {
  for (auto entry = callers.begin(); entry != callers.end();) {
    const bool is_needed = entry->second->connections != 0 || Clock::now() - entry->second->idle_since < kIdle;
    if (!is_needed) retire(std::move(entry->second));
    entry = is_needed ? std::next(entry) : callers.erase(entry);
  }
}

void SocketServer::State::shed_who_does_not_read() {
  if (Clock::now() < next_shedding) return;
  next_shedding = Clock::now() + kSheddingInterval;
  if (::mallinfo2().uordblks < kMuchMemory) return;
  size_t closed = 0;
  for (const auto& [key, connection] : connections) {
    int unread = 0;
    if (::ioctl(connection.watched.get(), SIOCOUTQ, &unread) != 0 || unread < kMuchUnread) continue;
    ::shutdown(connection.watched.get(), SHUT_RDWR);
    ++closed;
  }
  if (closed > 0) spdlog::warn("memory is short: closed {} connections whose clients do not read", closed);
}

Result<std::unique_ptr<SocketServer>> SocketServer::listen(const std::string& path, Engine& engine, Limits limits) {
  PYC_TRY(Listener listener, Listener::bind(path));
  return make(std::move(listener), engine, limits);
}

Result<std::unique_ptr<SocketServer>> SocketServer::serve_at(Fd socket, Engine& engine) {
  return make(Listener::inherit(std::move(socket)), engine, Limits());
}

Result<std::unique_ptr<SocketServer>> SocketServer::make(Listener listener, Engine& engine, Limits limits) {
  BoundServer::enable_tools();
  Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
  Fd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!epoll || !wake) return fail(ErrorCode::kFailed, "cannot make descriptors to wait with: " + errno_text(errno));
  PYC_CHECK(watch(epoll, listener.fd().get(), EPOLLIN));
  PYC_CHECK(watch(epoll, wake.get(), EPOLLIN));
  return std::unique_ptr<SocketServer>(new SocketServer(
      std::make_unique<State>(engine, limits, std::move(listener), std::move(epoll), std::move(wake))));
}

SocketServer::SocketServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
SocketServer::~SocketServer() = default;

void SocketServer::run(std::chrono::milliseconds at_least, const std::function<void()>& on_round) {
  std::array<epoll_event, 64> events;
  while (true) {
    on_round();
    const auto own = state_->connections.empty() ? std::chrono::milliseconds(kIdle) : kSheddingInterval;
    const auto timeout = std::min<std::chrono::milliseconds>(at_least, own);
    const int count =
        ::epoll_wait(state_->epoll.get(), events.data(), events.size(), static_cast<int>(timeout.count()));
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<size_t>(i)].data.fd;
      if (fd == state_->wake.get()) return;
      if (fd == state_->listener.fd().get()) {
        state_->accept_all();
      } else {
        state_->connection_ended(fd);
      }
    }
    state_->shed_who_does_not_read();
    state_->release_idle();
  }
}

void SocketServer::shutdown() {
  const uint64_t one = 1;
  // Fails only when the counter is full, and then run() ends as well.
  [[maybe_unused]] const ssize_t written = ::write(state_->wake.get(), &one, sizeof(one));
}

}  // namespace pycroscope
