/* What the thread sanitizer must know of our libraries; nothing in an ordinary build.
 *
 * libuv closes descriptors by a bare system call, which the sanitizer does not see: it takes the next file of the same
 * number for the old one and reports a race between its users. What libuv opens and reads is therefore not looked at.
 */
#ifdef KITH_SANITIZED
const char *__tsan_default_suppressions(void);

__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void)
{
    return "called_from_lib:libuv.so.1\n";
}
#else
typedef int nothing_to_sanitize;
#endif
