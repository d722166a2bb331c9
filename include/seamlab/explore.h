/* SPDX-License-Identifier: MIT */
/*
 * Bring your own code: a C program whose threads the explorer runs in every order.
 *
 * Compile it with seamlab-cc; the program that comes out explores itself. With SL_MAIN in it, it is
 * also a program of libseamlab's that runs once, on threads.
 *
 *	#include <seamlab/explore.h>
 *
 *	static _Atomic int word;
 *
 *	SL_THREADS(adder, 2)
 *	{
 *		(void)me;
 *		word++;
 *	}
 *
 *	SL_FINALLY(both_counted)
 *	{
 *		return word == 2;
 *	}
 *
 * Writable globals and statics of the files that seamlab-cc compiles are what the threads share;
 * they start with their initial values. Threads call nothing outside of those files but what is
 * declared here and in seamcall.h, memcpy(), memmove(), memset(), memcmp(), assert() and abort().
 *
 * Orders of memory accesses are those of sequential consistency.
 */
#ifndef SEAMLAB_EXPLORE_H
#define SEAMLAB_EXPLORE_H

#include <stdbool.h>
#include <stdint.h>

#include <seamlab/api.h>

#ifdef __cplusplus
extern "C" {
#endif

enum sl_entry_kind {
	SL_ENTRY_THREADS,
	SL_ENTRY_INVARIANT,
	SL_ENTRY_FINALLY,
	SL_ENTRY_SETUP,
};

/* What the macros below leave for the program's main(). */
struct sl_entry {
	enum sl_entry_kind kind;
	const char *name;
	unsigned int count;
	void (*thread)(unsigned int me); /* or set-up */
	bool (*holds)(void);
};

#define SL_ENTRY_(name_, ...)                                            \
	static const struct sl_entry sl_entry_##name_ = { __VA_ARGS__ }; \
	static const struct sl_entry *const sl_entry_at_##name_          \
		__attribute__((used, section("sl_entries"))) = &sl_entry_##name_;

/*
 * Data that threads share. seamlab-cc puts all writable data of a file there; the mark is for other
 * ways to build, and for the reader.
 */
#define SL_SHARED __attribute__((section("sl_shared")))

/* SL_THREADS(name, n) { ... }: n threads that run this; `me` is 0 to n - 1. At most 16 in all. */
#define SL_THREADS(name_, n_)                                                                  \
	static void sl_thread_##name_(unsigned int me);                                        \
	SL_ENTRY_(name_, SL_ENTRY_THREADS, #name_, (n_), sl_thread_##name_, (bool (*)(void))0) \
	static void sl_thread_##name_(__attribute__((unused)) unsigned int me)

/* SL_THREAD(name) { ... }: one thread. */
#define SL_THREAD(name_) SL_THREADS(name_, 0)

/* SL_SETUP(name) { ... }: runs once, before the threads start. */
#define SL_SETUP(name_)                                                                  \
	static void sl_setup_##name_(unsigned int me);                                   \
	SL_ENTRY_(name_, SL_ENTRY_SETUP, #name_, 0, sl_setup_##name_, (bool (*)(void))0) \
	static void sl_setup_##name_(__attribute__((unused)) unsigned int me)

/* SL_INVARIANT(name) { return CONDITION; }: true in every state. It only looks. */
#define SL_INVARIANT(name_)                                                        \
	static bool sl_holds_##name_(void);                                        \
	SL_ENTRY_(name_, SL_ENTRY_INVARIANT, #name_, 0, (void (*)(unsigned int))0, \
		  sl_holds_##name_)                                                \
	static bool sl_holds_##name_(void)

/* SL_FINALLY(name) { return CONDITION; }: true when all threads have ended. */
#define SL_FINALLY(name_)                                                                          \
	static bool sl_holds_##name_(void);                                                        \
	SL_ENTRY_(name_, SL_ENTRY_FINALLY, #name_, 0, (void (*)(unsigned int))0, sl_holds_##name_) \
	static bool sl_holds_##name_(void)

/* A violation, if the condition is false. assert() does the same. */
#define sl_assert(cond) ((cond) ? (void)0 : sl_assert_failed(#cond, __FILE__, __LINE__))
SL_API void sl_assert_failed(const char *cond, const char *file, unsigned int line)
	__attribute__((noreturn));

/* Any value from 0 to n - 1, n from 1 to 65535: all of them are explored. */
SL_API uint32_t sl_choose(uint32_t n);

/* One turn of a loop that waits: another thread may run. Loops do without, with more states. */
SL_API void sl_pause(void);

/*
 * The thread cannot go on while *word (4 bytes, atomic) == value, and costs nothing until then. Test
 * again afterwards. If nobody ever changes the word, that is a deadlock.
 */
#define sl_wait_while(word, value)                                                        \
	do {                                                                              \
		_Static_assert(sizeof(*(word)) == 4, "sl_wait_while: a word of 4 bytes"); \
		sl_wait_while_((word), (uint32_t)(value));                                \
	} while (0)
SL_API void sl_wait_while_(const volatile void *word, uint32_t value);

/*
 * A promise that makes states fewer: what the thread does from here on depends on shared data and
 * (label, a, b) alone, not on anything else it has seen. --audit looks for broken ones.
 */
SL_API void sl_checkpoint(uint32_t label, uint64_t a, uint64_t b);

/*
 * SL_MAIN, once in a program: its main() where it runs on threads. Set-up, one thread for each SL_THREAD,
 * then what SL_FINALLY says; SL_INVARIANT at the start and at the end. Exit status: 0, 1 for a violation,
 * 2 for a program that cannot run. Under the explorer it is nothing.
 */
#ifdef SEAMLAB_EXPLORE
#define SL_MAIN
#else
#define SL_MAIN                                                                  \
	extern const struct sl_entry *const __start_sl_entries[];                \
	extern const struct sl_entry *const __stop_sl_entries[];                 \
	int main(void)                                                           \
	{                                                                        \
		return sl_run_on_threads(__start_sl_entries, __stop_sl_entries); \
	}
#endif
SL_API int sl_run_on_threads(const struct sl_entry *const *first,
			     const struct sl_entry *const *end);

#ifdef __cplusplus
}
#endif

#endif
