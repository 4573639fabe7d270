// Stand-ins for libpthread, libdl and librt of an old glibc, to link against and never to load. Since
// glibc 2.34 these functions are part of libc.so.6 under the version GLIBC_2.34, and what is linked on such a
// system does not load on an older one, though the functions are the same. Linked with these first, the addon
// asks for the old version in the old library, which every later glibc still offers.
// native/portable/portable.cmake has the rest.
//
// One library is compiled at a time: PIKE_STANDS_FOR_ says which.
#define FUNCTION(name) \
  void name() {}

extern "C" {

#if defined(PIKE_STANDS_FOR_pthread)
FUNCTION(__pthread_key_create)
FUNCTION(pthread_condattr_setpshared)
FUNCTION(pthread_create)
FUNCTION(pthread_detach)
FUNCTION(pthread_getspecific)
FUNCTION(pthread_join)
FUNCTION(pthread_key_create)
FUNCTION(pthread_key_delete)
FUNCTION(pthread_kill)
FUNCTION(pthread_mutex_trylock)
FUNCTION(pthread_mutexattr_destroy)
FUNCTION(pthread_mutexattr_init)
FUNCTION(pthread_mutexattr_setpshared)
FUNCTION(pthread_mutexattr_settype)
FUNCTION(pthread_once)
FUNCTION(pthread_rwlock_destroy)
FUNCTION(pthread_rwlock_init)
FUNCTION(pthread_rwlock_rdlock)
FUNCTION(pthread_rwlock_timedrdlock)
FUNCTION(pthread_rwlock_timedwrlock)
FUNCTION(pthread_rwlock_tryrdlock)
FUNCTION(pthread_rwlock_trywrlock)
FUNCTION(pthread_rwlock_unlock)
FUNCTION(pthread_rwlock_wrlock)
FUNCTION(pthread_rwlockattr_destroy)
FUNCTION(pthread_rwlockattr_init)
FUNCTION(pthread_rwlockattr_setpshared)
FUNCTION(pthread_setspecific)
FUNCTION(pthread_spin_destroy)
FUNCTION(pthread_spin_init)
FUNCTION(pthread_spin_lock)
FUNCTION(pthread_spin_trylock)
FUNCTION(pthread_spin_unlock)
FUNCTION(sem_destroy)
FUNCTION(sem_init)
FUNCTION(sem_post)
FUNCTION(sem_timedwait)
FUNCTION(sem_trywait)
FUNCTION(sem_wait)
#elif defined(PIKE_STANDS_FOR_dl)
FUNCTION(dlclose)
FUNCTION(dlerror)
FUNCTION(dlmopen)
FUNCTION(dlopen)
FUNCTION(dlsym)
FUNCTION(dlvsym)
#elif defined(PIKE_STANDS_FOR_rt)
FUNCTION(shm_open)
FUNCTION(shm_unlink)
#endif

}  // extern "C"
