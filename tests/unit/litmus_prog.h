/* SPDX-License-Identifier: MIT */
/* Litmus programs: a few accesses of each lane, run as they are written. Compiled with the hooks. */
#ifndef TEST_LITMUS_PROG_H
#define TEST_LITMUS_PROG_H

#include <stdint.h>

#define LITMUS_LANES 4
#define LITMUS_OPS   6
#define LITMUS_BYTES 32 /* of shared memory */
#define LITMUS_ARENA 4096

enum litmus_kind {
	LITMUS_END,
	LITMUS_STORE, /* release */
	LITMUS_RELAXED,
	LITMUS_SEQ_CST, /* store */
	LITMUS_PLAIN,   /* store */
	LITMUS_LOAD,    /* into the lane's next register */
	LITMUS_PLAIN_LOAD,
	LITMUS_FENCE,
	LITMUS_ACQ_REL, /* fence */
	LITMUS_XCHG,    /* the old value goes into the next register */
	LITMUS_MINE,    /* a locked addition to a word of the lane's own */
	LITMUS_UNLESS,  /* end, unless the last register has the value */
};

struct litmus_op {
	uint8_t kind;
	uint8_t at;   /* offset in shared memory, a multiple of the size */
	uint8_t size; /* bytes: 1, 2, 4 or 8 */
	uint64_t value;
};

struct litmus {
	const char *name;
	uint32_t lanes;
	struct litmus_op op[LITMUS_LANES][LITMUS_OPS + 1]; /* up to a LITMUS_END */
};

/* What is left in the end. */
struct litmus_outcome {
	uint8_t memory[LITMUS_BYTES];
	uint64_t reg[LITMUS_LANES][LITMUS_OPS];
};

union litmus_arena {
	struct {
		struct litmus_outcome now;
		uint64_t mine[LITMUS_LANES];
	} d;
	_Alignas(LITMUS_ARENA) uint8_t all[LITMUS_ARENA];
};

extern union litmus_arena litmus_arena;
/* What litmus_lane() runs. */
extern const struct litmus *litmus_now;

void litmus_lane(uint32_t lane);

#endif
