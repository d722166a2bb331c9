/* SPDX-License-Identifier: MIT */
/* Small programs for the explorer, compiled with the hooks, and their shared data. */
#ifndef TEST_EXPLORE_PROG_H
#define TEST_EXPLORE_PROG_H

#include <stdint.h>

#define PROG_ARENA 4096

/* Page-sized, so that nothing else lies in it. */
union prog_arena {
	struct {
		_Atomic uint32_t word[8];
		uint64_t plain[16];
		uint8_t bytes[64];
	} d;
	_Alignas(PROG_ARENA) uint8_t all[PROG_ARENA];
};

extern union prog_arena prog;
/* Increments, of one word, by each lane of prog_add(). */
extern uint32_t prog_increments;

/* Atomic additions whose old value is used. */
void prog_add(uint32_t lane);
/* The same number of them by the lane's guest, which leaves after each; nobody else has the guest. */
void prog_guest_adds(uint32_t lane);
void prog_adding_guest(void *arg);
/* prog_add(), then two additions to words of the lane's own: by its guest, and by itself. */
void prog_add_and_enter(uint32_t lane);
void prog_private_guest(void *arg);
/* Each lane counts a word of its own down. */
void prog_private(uint32_t lane);
/* Plain writes of every size, unaligned ones, large copies; a lane has its own part of the data. */
void prog_plain(uint32_t lane);

#endif
