/* Suppressions for the thread sanitizer; nothing in an ordinary build.
 *
 * libuv closes descriptors by a system call that the sanitizer does not intercept. The sanitizer takes the next file of
 * the same number for the old one and reports a race between their users. Races in libuv are therefore suppressed.
 *
 * OpenSSL counts references by atomics that were compiled without the sanitizer. It does not see that the thread which
 * frees an object comes after all its users, and reports the free of the object's lock.
 */
#ifdef KITH_SANITIZED
const char *__tsan_default_suppressions(void);

__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void)
{
    return "called_from_lib:libuv.so.1\n"
           "race:CRYPTO_THREAD_lock_free\n";
}
#else
typedef int nothing_to_sanitize;
#endif
