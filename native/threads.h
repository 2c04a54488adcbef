// The worker team: the threads of one call, alive for the whole of it.
//
// Workers are parked threads shared by the process. A call takes as many idle ones as it asks for
// and gives them back at its end. The pool grows to the largest team ever asked for and no further,
// so a call that comes while the workers are busy gets a smaller team, in the extreme its own
// thread alone: it never waits for a thread, and cannot deadlock.
#pragma once

#include <atomic>
#include <vector>

namespace unspool {

// Where a fixed number of threads wait for one another.
class Barrier {
 public:
  void set_members(int members) { members_ = members; }
  void wait();

 private:
  int members_ = 1;
  std::atomic<int> arrived_{0};
  std::atomic<unsigned> round_{0};
};

class Worker;

class Team {
 public:
  explicit Team(int wanted);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int size() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls body(rank) once for every rank in [0, size), each on its own thread, rank 0 on the
  // caller's; returns when all have returned. The body must not throw.
  template <class Body>
  void run(const Body& body) {
    run([](const void* context, int rank) { (*static_cast<const Body*>(context))(rank); }, &body);
  }

 private:
  using Job = void (*)(const void* context, int rank);
  void run(Job job, const void* context);

  std::vector<Worker*> workers_;
};

}  // namespace unspool
