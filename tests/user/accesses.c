// SPDX-License-Identifier: MIT
/*
 * Every kind of access that a compiler makes of C, behind a lock and on shared data, with values that
 * would be wrong if one of them were not seen, undone or done as it should be.
 */
#include <seamlab/explore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

typedef unsigned __int128 wide;

struct large {
	uint64_t word[9];
	uint8_t tail[5];
};

struct __attribute__((packed)) odd {
	uint8_t first;
	uint16_t two;
	uint32_t four;
	uint64_t eight;
};

static _Atomic uint8_t a8;
static _Atomic uint16_t a16;
static _Atomic uint32_t a32;
static _Atomic uint64_t a64;
static _Atomic wide a128;
static _Atomic uint8_t bytes[3];

static atomic_int lock_word;
static struct large one, two;
static struct odd odd;
static wide plain_wide;
static uint8_t buffer[200];
static uint32_t turns;

static void lock(void)
{
	while (atomic_exchange(&lock_word, 1))
		sl_wait_while(&lock_word, 1);
}

static void unlock(void)
{
	atomic_store(&lock_word, 0);
}

#define ATOMICS(a, type)                                                                  \
	do {                                                                              \
		type seen = atomic_fetch_add(&(a), 3), want;                              \
                                                                                          \
		sl_assert(seen <= 3);                                                     \
		atomic_fetch_sub(&(a), 1);                                                \
		atomic_fetch_or(&(a), 64);                                                \
		atomic_fetch_and(&(a), (type) ~(type)64);                                 \
		atomic_fetch_xor(&(a), 32);                                               \
		atomic_fetch_xor(&(a), 32);                                               \
		want = atomic_load(&(a));                                                 \
		while (!atomic_compare_exchange_weak(&(a), &want, (type)(want - 1)))      \
			;                                                                 \
		want = 77;                                                                \
		sl_assert(!atomic_compare_exchange_strong(&(a), &want, 1) && want != 77); \
	} while (0)

/* The lock keeps the interleavings few. */
static void atomics(void)
{
	wide high = (wide)5 << 100;

	lock();
	ATOMICS(a8, uint8_t);
	ATOMICS(a16, uint16_t);
	ATOMICS(a32, uint32_t);
	ATOMICS(a64, uint64_t);
	ATOMICS(a128, wide);
	atomic_fetch_add(&a128, high);
	sl_assert(atomic_exchange(&a128, (wide)1) >= high);
	atomic_store(&a128, a32);
	unlock();
}

static void plain(unsigned int me)
{
	struct large local;
	struct odd other;

	lock();
	sl_assert(one.word[8] == turns && one.tail[4] == (uint8_t)turns);
	local = one;
	local.word[8]++;
	local.tail[4]++;
	two = local;
	one = two;
	sl_assert(!memcmp(&one, &two, sizeof(one)));
	other = odd;
	other.two++;
	other.four += 2;
	other.eight += 1ull << 40;
	odd = other;
	odd.first++;
	memset(buffer, (int)me + 1, 100);
	memcpy(buffer + 100, buffer, 100);
	memmove(buffer + 1, buffer, 100);
	sl_assert(buffer[199] == me + 1 && buffer[0] == buffer[100]);
	plain_wide += (wide)1 << 64;
	turns++;
	unlock();
}

SL_THREADS(user, 2)
{
	bytes[me] = 1;
	bytes[2]++;
	atomics();
	plain(me);
}

SL_FINALLY(everything_counted)
{
	return a8 == 2 && a16 == 2 && a32 == 2 && a64 == 2 && a128 == 2 && turns == 2 &&
	       odd.first == 2 && odd.two == 2 && odd.four == 4 && odd.eight == 2ull << 40 &&
	       plain_wide == (wide)2 << 64 && bytes[0] && bytes[1] && bytes[2] == 2;
}
