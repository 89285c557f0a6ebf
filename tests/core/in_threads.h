// InThreads: calls a function from several threads at the same time.
//
//   InThreads(4, [&](int i) { EXPECT_EQ(store.leaf(i), expected[i]); });
#ifndef LEAFSTORE_TESTS_CORE_IN_THREADS_H_
#define LEAFSTORE_TESTS_CORE_IN_THREADS_H_

#include <latch>
#include <thread>
#include <vector>

namespace leafstore {

// Calls work(i) for each i below `count`, each in a thread of its own, and returns when all are
// done. None begins before all threads run, so that they run concurrently.
template <typename Work>
void InThreads(int count, const Work& work) {
  std::latch begin(count);
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&begin, &work, i] {
      begin.arrive_and_wait();
      work(i);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_CORE_IN_THREADS_H_
