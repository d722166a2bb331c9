// SPDX-License-Identifier: MIT
/* Small programs for the explorer. Compiled with the hooks. */
#include "explore_prog.h"

#include <stdatomic.h>
#include <string.h>

#include "engine/explore/guests.h"

union prog_arena prog;
uint32_t prog_increments;

void prog_add(uint32_t lane)
{
	(void)lane;
	for (uint32_t i = 0; i < prog_increments; i++)
		atomic_fetch_add(&prog.d.word[0], 1);
}

void prog_guest_adds(uint32_t lane)
{
	for (uint32_t i = 0; i < prog_increments; i++)
		xp_guest_enter(lane);
}

void prog_adding_guest(void *arg)
{
	(void)arg;
	for (;;) {
		atomic_fetch_add(&prog.d.word[0], 1);
		xp_guest_leave();
	}
}

void prog_add_and_enter(uint32_t lane)
{
	prog_add(lane);
	xp_guest_enter(lane);
	atomic_fetch_add(&prog.d.word[3 + lane], 1);
}

void prog_private_guest(void *arg)
{
	for (;;) {
		atomic_fetch_add((_Atomic uint32_t *)arg, 1);
		xp_guest_leave();
	}
}

void prog_private(uint32_t lane)
{
	for (uint32_t i = 0; i < prog_increments; i++)
		atomic_fetch_sub(&prog.d.word[lane + 1], 1);
}

void prog_plain(uint32_t lane)
{
	uint64_t *mine = &prog.d.plain[lane * 4];
	uint8_t *bytes = &prog.d.bytes[lane * 32];
	uint32_t odd = 0xC0FFEE + lane;

	for (uint32_t i = 0; i < 2; i++) {
		mine[0]++;
		memcpy(bytes + 3, &odd, sizeof(odd));
		atomic_fetch_add(&prog.d.word[lane], 1);
		memset(bytes + 9, (int)i + 7, 18);
		mine[1] = mine[0] << 32 | bytes[4];
		atomic_fetch_add(&prog.d.word[1 - lane], 1);
		memmove(bytes + 8, bytes + 1, 20);
	}
}
