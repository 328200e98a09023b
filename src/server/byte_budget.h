// How many bytes of requests all connections together may hold. Safe for several threads.
#pragma once

#include <atomic>
#include <cstddef>

namespace plm::server {

class ByteBudget {
 public:
  // Up to this many bytes each holder always gets: who asks for little is answered whatever others hold.
  static constexpr size_t kAlwaysTaken = 64 << 10;

  explicit ByteBudget(size_t limit) : limit_(limit) {}
  ByteBudget(const ByteBudget&) = delete;
  ByteBudget& operator=(const ByteBudget&) = delete;

  // What one holder has of it; given back at its end.
  class Share {
   public:
    explicit Share(ByteBudget& budget) : budget_(budget) {}
    ~Share() { give_back(); }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    // Whether this many would be there now: a promise to nobody.
    bool may_hold(size_t n) const { return fits(n, budget_.held_.load()); }

    // Holds this many from now on, unless it is more than is there: then nothing changes.
    bool hold(size_t n) {
      size_t all = budget_.held_.load();
      do {
        if (!fits(n, all)) return false;
      } while (!budget_.held_.compare_exchange_weak(all, all - held_ + n));
      held_ = n;
      return true;
    }

    void give_back() {
      budget_.held_ -= held_;
      held_ = 0;
    }

   private:
    bool fits(size_t n, size_t all) const {
      const size_t others = all - held_;
      return n <= kAlwaysTaken || (others <= budget_.limit_ && n <= budget_.limit_ - others);
    }

    ByteBudget& budget_;
    size_t held_ = 0;
  };

 private:
  const size_t limit_;
  std::atomic<size_t> held_{0};
};

}  // namespace plm::server
