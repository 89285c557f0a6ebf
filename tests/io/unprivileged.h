// Unprivileged: drops root's rights, for tests of refused permissions. In containers, tests run as
// root, to whom the system refuses nothing.
//
//   const Unprivileged unprivileged;
//   if (!unprivileged.May(dir.path(), X_OK)) GTEST_SKIP() << "...";
//   EXPECT_THAT(files.List(closed), StatusIs(StatusCode::kPermissionDenied, ...));
#ifndef LEAFSTORE_TESTS_IO_UNPRIVILEGED_H_
#define LEAFSTORE_TESTS_IO_UNPRIVILEGED_H_

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace leafstore {

// While it lives, root has the rights of a user that owns nothing; other users keep theirs.
class Unprivileged {
 public:
  Unprivileged() : lowered_(geteuid() == 0 && Become(kNobody)) {}
  ~Unprivileged() {
    if (lowered_ && !Become(0)) std::abort();
  }
  Unprivileged(const Unprivileged&) = delete;
  Unprivileged& operator=(const Unprivileged&) = delete;

  // Returns whether permissions are enforced now.
  bool ok() const { return geteuid() != 0; }
  // Returns whether they are enforced and `path` still allows this access (X_OK and so on).
  bool May(const std::string& path, int mode) const {
    return ok() && faccessat(AT_FDCWD, path.c_str(), mode, AT_EACCESS) == 0;
  }

 private:
  static constexpr uid_t kNobody = 65534;

  // Sets the real user too, so that child processes are unprivileged; the saved user stays root, to
  // change back. PR_SET_DUMPABLE, which a change of user resets, lets LeakSanitizer inspect this
  // process.
  static bool Become(uid_t user) {
    return setresuid(user, user, 0) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0;
  }

  const bool lowered_;
};

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_IO_UNPRIVILEGED_H_
