#include "threads.h"

#include <cfenv>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace unspool {

namespace {

void pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Spins for about the length of a small time step, then lets other threads have the core: with more
// threads than cores the one waited for may need this very core.
template <class Done>
void wait_until(const Done& done) {
  constexpr int kSpins = 2000;
  for (int spins = 0; !done(); ++spins) {
    if (spins < kSpins) {
      pause();
    } else {
      std::this_thread::yield();
    }
  }
}

}  // namespace

void Barrier::wait() {
  if (members_ == 1) return;
  const unsigned round = round_.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) == members_ - 1) {
    arrived_.store(0, std::memory_order_relaxed);
    round_.store(round + 1, std::memory_order_release);
  } else {
    wait_until([&] { return round_.load(std::memory_order_acquire) != round; });
  }
}

// A thread that sleeps until it is handed a job.
class Worker {
 public:
  Worker() { std::thread(&Worker::serve, this).detach(); }

  void start(void (*job)(const void*, int), const void* context, int rank,
             const std::fenv_t& environment) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      job_ = job, context_ = context, rank_ = rank, environment_ = environment;
      busy_.store(true, std::memory_order_relaxed);
    }
    wake_.notify_one();
  }

  void finish() {
    wait_until([this] { return !busy_.load(std::memory_order_acquire); });
  }

 private:
  void serve() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return busy_.load(std::memory_order_relaxed); });
      // XLA flushes subnormal numbers to zero on its threads: a result must not depend on which
      // thread computed it.
      std::fesetenv(&environment_);
      job_(context_, rank_);
      busy_.store(false, std::memory_order_release);
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<bool> busy_{false};
  void (*job_)(const void*, int) = nullptr;
  const void* context_ = nullptr;
  int rank_ = 0;
  std::fenv_t environment_;
};

namespace {

struct Pool {
  std::mutex mutex;
  std::vector<Worker*> idle;
  int workers = 0;
};

// Never destroyed: workers may still be parked in it while the process exits.
Pool& pool() {
  static Pool* const instance = new Pool;
  return *instance;
}

}  // namespace

Team::Team(int wanted) {
  const int others = wanted - 1;
  if (others <= 0) return;
  workers_.reserve(others);
  std::lock_guard<std::mutex> lock(pool().mutex);
  while (size() < wanted && !pool().idle.empty()) {
    workers_.push_back(pool().idle.back());
    pool().idle.pop_back();
  }
  try {
    while (size() < wanted && pool().workers < others) {
      pool().idle.reserve(pool().workers + 1);  // so that giving a worker back cannot fail
      workers_.push_back(new Worker);
      ++pool().workers;
    }
  } catch (const std::exception&) {  // the system gives no more threads: go on with those we have
  }
}

Team::~Team() {
  if (workers_.empty()) return;
  std::lock_guard<std::mutex> lock(pool().mutex);
  pool().idle.insert(pool().idle.end(), workers_.begin(), workers_.end());
}

void Team::run(Job job, const void* context) {
  std::fenv_t environment;
  std::fegetenv(&environment);
  int rank = 1;
  for (Worker* worker : workers_) worker->start(job, context, rank++, environment);
  job(context, 0);
  for (Worker* worker : workers_) worker->finish();
}

}  // namespace unspool
