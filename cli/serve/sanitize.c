/* What the thread sanitizer must know of our libraries; nothing in an ordinary build.
 *
 * libuv closes descriptors by a bare system call, which the sanitizer does not see: it takes the next file of the same
 * number for the old one and reports a race between its users. What libuv opens and reads is therefore not looked at.
 *
 * OpenSSL counts references by atomics that were compiled without the sanitizer: that the thread which frees an object
 * comes after all who gave it up is not seen. Its locks are freed with the object they guard, so that is where it
 * shows.
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
