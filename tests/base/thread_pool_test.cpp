#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <chrono>
#include <numeric>

namespace plm {
namespace {

TEST(ThreadPool, RunsTheWorkOnceOnEveryThread) {
  for (int n : {1, 2, 3, 8}) {
    ThreadPool pool(n);
    std::vector<int> calls(static_cast<size_t>(n), 0);
    for (int round = 0; round < 500; ++round)
      pool.run([&](int thread) { ++calls[static_cast<size_t>(thread)]; });
    for (int count : calls) EXPECT_EQ(count, 500) << n << " threads";
  }
}

TEST(ThreadPool, WakesThreadsThatWentToSleep) {
  ThreadPool pool(4);
  for (int round = 0; round < 3; ++round) {
    std::atomic<int> calls{0};
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    pool.run([&](int) { ++calls; });
    EXPECT_EQ(calls.load(), 4);
  }
}

TEST(ThreadPool, ABarrierSeparatesWhatComesBeforeFromWhatComesAfter) {
  ThreadPool pool(3);
  std::vector<int> values(3, 0);
  for (int round = 1; round <= 200; ++round) {
    std::atomic<int> wrong{0};
    pool.run([&](int thread) {
      values[static_cast<size_t>(thread)] = round;
      pool.barrier();
      for (int value : values) wrong += value != round;
      pool.barrier();
    });
    ASSERT_EQ(wrong.load(), 0);
  }
}

TEST(ThreadPool, SharesCoverAllItemsOnceInMultiplesOfTheGrain) {
  ThreadPool pool(3);
  for (int64_t n : {0, 1, 15, 16, 17, 160, 1000}) {
    int64_t expected_begin = 0;
    for (int thread = 0; thread < 3; ++thread) {
      const auto [begin, end] = pool.share(thread, n, 16);
      EXPECT_EQ(begin, expected_begin);
      EXPECT_TRUE(end == n || end % 16 == 0) << end;
      expected_begin = end;
    }
    EXPECT_EQ(expected_begin, n);
  }
}

TEST(ThreadPool, HandsOutEachItemOnce) {
  ThreadPool pool(4);
  std::vector<std::atomic<int>> taken(1000);
  pool.run([&](int) {
    for (int64_t i; (i = pool.next_item()) < 1000;) ++taken[static_cast<size_t>(i)];
  });
  for (auto& count : taken) EXPECT_EQ(count.load(), 1);
}

}  // namespace
}  // namespace plm
