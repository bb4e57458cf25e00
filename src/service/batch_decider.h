#pragma once

// BatchDecider: decides requests with the store, a batch in a transaction; keeps what cannot be
// decided now until it can.
//
// Invariants:
//   1. What the database does not do for one request costs that request: it is found by parts, and
//      the others are decided. Where repeating is useless it is refused at once. Otherwise it is
//      put aside, tried again ahead of later requests for its products, and refused only after
//      minutes, and only if it fails once more after stock of others was written.
//   2. With an outage nothing of what is kept is decided, or it is not known; the ledger tells when
//      it is tried again.
//   3. Nobody waits for what was put aside: it is tried in transactions of its own, beside the
//      others. Only where as much is put aside as should be, others are slower, for seconds.
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

// How long a request may fail by itself while others pass. What is locked passes by itself, so it
// may take longer; both are well below RabbitMQ's consumer timeout of 30 minutes.
inline constexpr std::chrono::minutes kFailingMax{3};
inline constexpr std::chrono::minutes kLockedMax{10};
// The same where as many are put aside as may be, and others wait for that.
inline constexpr std::chrono::seconds kLockedMaxInTheWay{5};

class BatchDecider {
 public:
  using Id = Backlog::Id;
  using Ids = std::vector<Id>;

  // The database refuses the request for good.
  struct Refused {
    std::string why;
    std::string_view reason;  // of a dead letter: invalid, or refused where that took minutes
  };
  // It has failed by itself, and waits.
  struct PutAside {
    std::string why;
  };
  // What became of one that was kept. Decided or refused, it is no longer kept.
  struct Event {
    Id id;
    std::variant<domain::Decision, Refused, PutAside> what;
    std::vector<domain::StockNews> news = {};  // that it has to tell
  };
  using Events = std::vector<Event>;

  // kept_max: from how many that are kept it is full. wants_news: whether the store is asked for
  // them. pulse: of the store. Store, clock and observer outlive it.
  BatchDecider(std::size_t kept_max, bool wants_news, std::shared_ptr<Pulse> pulse,
               store::Store& store, const Clock& clock, Observer& observer)
      : kept_max_(kept_max),
        wants_news_(wants_news),
        pulse_(std::move(pulse)),
        store_(store),
        clock_(clock),
        observer_(observer) {}

  // Decides a batch as a whole, where nothing is kept that it would have to wait for. `news` gets
  // those of all its requests, if they are wanted.
  Task<store::Result<std::vector<domain::Decision>>> decide_whole(
      std::span<const domain::Command> requests, std::vector<domain::StockNews>& news);

  // Takes a request that is to be decided behind those that are kept.
  Id keep(domain::Command request);

  // Tries what is kept and has not failed by itself, until all of it is decided or waits. `failed`:
  // with what error decide_whole() has failed for `ids`, which were kept then; an error that is
  // about the database as a whole is an outage. Returns the outage, if there is one.
  Task<std::optional<store::Error>> work_off(std::optional<store::Error> failed, const Ids& ids,
                                             Events& events);

  // Tries those that were put aside and are due, in a transaction of their own: however long it
  // takes, nobody else waits for it. May be cancelled if forget() follows.
  Task<void> try_again(Events& events);

  // Those that wait, because of an outage or put aside.
  std::size_t size() const { return backlog_.size(); }
  bool is_full() const { return backlog_.size() >= kept_max_; }

  // How many were put aside, with those that wait behind them.
  std::size_t put_aside() const { return backlog_.failures().empty() ? 0 : backlog_.size(); }

  // When try_again() has something to do; nothing if none was put aside, or during an outage.
  std::optional<std::chrono::steady_clock::time_point> next_try() const;

  // Why, where requests are put aside and none of any kind was decided since the first of them
  // failed, for ten seconds; or for ten seconds where it is full.
  std::optional<std::string> suspicion() const;

  void forget();

 private:
  // Who tries: work_off() or, beside it, try_again().
  struct Trier {
    bool is_beside = false;
    int conflicts = 0;      // since it has passed last
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
  // Since when others must have passed, so that one that has failed may be refused: because it is
  // overdue or in the way. Nothing: it may wait.
  std::optional<Backlog::TimePoint> is_overdue_since(const Backlog::Failure& failure) const;
  void refuse_overdue(Events& events);
  void make_room(Id id, const std::string& why,
                 std::vector<std::pair<Id, std::string>>& overdue) const;
  void refuse(Id id, std::string why, std::string_view reason, Events& events);
  // What is overdue is refused only if it fails once more after others passed. That is hastened,
  // and where nobody else's request shows whether they pass, the store tries.
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
  std::chrono::steady_clock::time_point not_before_{};  // of try_again()
  std::chrono::steady_clock::time_point next_look_{};   // at others
};

}  // namespace inventory::service
