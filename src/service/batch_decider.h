#pragma once

// BatchDecider: has the store decide requests, a batch per transaction, and keeps those that cannot
// be decided now until they can.
//
// Invariants:
//   1. A request that fails in the database fails alone: it is found by splitting the batch, and
//      the others are decided. If a retry is useless it is refused at once. Otherwise it is put
//      aside, tried again ahead of later requests for its products, and refused only after minutes,
//      and only if it fails once more after stock for others was written.
//   2. After an outage the kept requests are undecided, or it is unknown whether they are decided;
//      the ledger tells when they are tried again.
//   3. Other requests do not wait for those put aside, which are tried in transactions of their
//      own, beside the others. Only while the decider is full are others slower, for seconds.
//
// Threads: one executor. work_off() and try_again() may run at the same time, each once.

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "domain/command.h"
#include "service/backlog.h"
#include "service/broker.h"
#include "service/clock.h"
#include "service/observer.h"
#include "service/pulse.h"
#include "store/store.h"

namespace inventory::service {

// How long a request may fail on its own while others pass. A lock goes away by itself, so it may
// take longer; both are well below RabbitMQ's consumer timeout of 30 minutes.
inline constexpr std::chrono::minutes kFailingMax{3};
inline constexpr std::chrono::minutes kLockedMax{10};
// The same while the decider is full and other requests wait for that.
inline constexpr std::chrono::seconds kLockedMaxInTheWay{5};

class BatchDecider {
 public:
  using Id = Backlog::Id;
  using Ids = std::vector<Id>;

  // The database refuses the request for good.
  struct Refused {
    std::string why;
    std::string_view reason;  // of a dead letter: invalid, or refused if that took minutes
  };
  // It failed on its own, and waits.
  struct PutAside {
    std::string why;
  };
  // What became of a kept request. Once decided or refused, it is no longer kept.
  struct Event {
    Id id;
    std::variant<domain::Decision, Refused, PutAside> what;
    std::vector<domain::StockNews> news = {};  // to be told with it
  };
  using Events = std::vector<Event>;

  // kept_max: it is full with this many kept requests. wants_news: whether to ask the store for
  // news. pulse: of the store. Store, clock and observer outlive it.
  BatchDecider(std::size_t kept_max, bool wants_news, std::shared_ptr<Pulse> pulse,
               store::Store& store, const Clock& clock, Observer& observer)
      : kept_max_(kept_max),
        wants_news_(wants_news),
        pulse_(std::move(pulse)),
        store_(store),
        clock_(clock),
        observer_(observer) {}

  // Decides a batch as a whole; nothing may be kept that it would have to wait for. `news` gets the
  // news of all its requests, if wanted.
  Task<store::Result<std::vector<domain::Decision>>> decide_whole(
      std::span<const domain::Command> requests, std::vector<domain::StockNews>& news);

  // Keeps a request, to be decided after those that are kept already.
  Id keep(domain::Command request);

  // Tries the kept requests that have not failed on their own, until each is decided or waits.
  // `failed`: the error with which decide_whole() failed for `ids`, which were then kept; an error
  // of the database as a whole is an outage. Returns the outage, if there is one.
  Task<std::optional<store::Error>> work_off(std::optional<store::Error> failed, const Ids& ids,
                                             Events& events);

  // Tries those that were put aside and are due, in a transaction of their own: however long it
  // takes, no other request waits for it. May be cancelled if forget() follows.
  Task<void> try_again(Events& events);

  // How many requests wait, because of an outage or because they were put aside.
  std::size_t size() const { return backlog_.size(); }
  bool is_full() const { return backlog_.size() >= kept_max_; }

  // How many requests were put aside, with those that wait behind them.
  std::size_t put_aside() const { return backlog_.failures().empty() ? 0 : backlog_.size(); }

  // When try_again() has something to do; empty if nothing was put aside, or during an outage.
  std::optional<std::chrono::steady_clock::time_point> next_try() const;

  // Why the whole database may be failing: requests are put aside, and for ten seconds no request
  // of any kind was decided, since the first of them failed or while it is full. Else empty.
  std::optional<std::string> suspicion() const;

  void forget();

 private:
  // The caller: work_off(), or try_again() beside it.
  struct Trier {
    bool is_beside = false;
    int conflicts = 0;      // since its last success
    bool is_split = false;  // to find the request that always meets a conflict
    std::chrono::steady_clock::duration last_took{};
  };
  using Outage = std::optional<store::Error>;

  Task<store::Result<std::vector<domain::Decision>>> ask_store(
      Trier& trier, std::span<const domain::Command> requests, store::Locks locks,
      std::vector<domain::StockNews>& news);
  Task<Outage> try_all(Trier& trier, const Ids& ids, store::Locks locks, Events& events);
  Task<Outage> try_parts(Trier& trier, Ids ids, store::Locks locks, Events& events);
  Task<Outage> try_others(Trier& trier, Ids ids, const Ids& named, store::Error error,
                          store::Locks locks, Events& events);
  store::Locks usual_locks() const;
  store::Locks locks_for(const Ids& ids) const;
  void fail(Id id, store::Error error, std::chrono::steady_clock::duration took, Events& events);
  // For a failed request that is overdue or in the way: since when others must have passed, so that
  // it may be refused. Empty: it may wait.
  std::optional<Backlog::TimePoint> is_overdue_since(const Backlog::Failure& failure) const;
  void refuse_overdue(Events& events);
  void make_room(Id id, const std::string& why,
                 std::vector<std::pair<Id, std::string>>& overdue) const;
  void refuse(Id id, std::string why, std::string_view reason, Events& events);
  // An overdue request is refused only if it fails once more after others passed. hurry_overdue()
  // lets it be tried soon; look_at_others() has the store try, if no other request shows whether
  // others pass.
  bool hurry_overdue();
  Task<void> look_at_others();

  const std::size_t kept_max_;
  const bool wants_news_;
  const std::shared_ptr<Pulse> pulse_;
  store::Store& store_;
  const Clock& clock_;
  Observer& observer_;
  Backlog backlog_;
  std::map<Id, domain::Command> requests_;  // those of the backlog
  Trier batch_;
  Trier beside_{.is_beside = true};
  std::size_t beside_max_ = store::kBatchMax;  // to be tried at once
  bool has_outage_ = false;
  std::chrono::steady_clock::time_point not_before_{};  // for try_again()
  std::chrono::steady_clock::time_point next_look_{};   // for look_at_others()
};

}  // namespace inventory::service
