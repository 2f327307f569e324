/*
 * What Debian's libstdc++ and libgcc ask of glibc and musl does not have: enough to start an executable that is linked to
 * musl on a machine without Alpine's libraries. For a trial alone; nothing that is handed out contains it.
 */
typedef unsigned long size;
extern int getentropy(void *, size);
extern size strftime_l(char *, size, const char *, const void *, void *);

unsigned int arc4random(void) {
  unsigned int value;
  getentropy(&value, sizeof value);
  return value;
}
size __strftime_l(char *to, size room, const char *format, const void *time, void *locale) {
  return strftime_l(to, room, format, time, locale);
}
/* Destructors of threads are not run: the trial ends with its process. */
int __cxa_thread_atexit_impl(void (*destroy)(void *), void *object, void *library) { return 0; }
char __libc_single_threaded = 0;
/* Unwinding falls back to dl_iterate_phdr. */
int _dl_find_object(void *address, void *result) { return -1; }
int __cpu_indicator_init(void) { return 0; }
struct {
  unsigned int vendor, type, subtype, features[1];
} __cpu_model;
