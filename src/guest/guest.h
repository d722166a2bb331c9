/* SPDX-License-Identifier: MIT */
/*
 * A guest program: a list of operations, interpreted one at a time inside TDH.VP.ENTER.
 *
 * The guest's RIP is the index of the operation, counted as if ranges were written out page by
 * page, times two; the odd number is the instruction behind the operation's TDCALL. A touch is one
 * instruction, however many pages it walks. The #VE handler has RIPs of its own.
 *
 * Layer: guest. Uses the module's public interface only.
 */
#ifndef SL_GUEST_GUEST_H
#define SL_GUEST_GUEST_H

#include <seamlab/module.h>

#include "base/env.h"
#include "base/vmcall.h"

enum guest_opcode {
	GUEST_ACCEPT,      /* TDG.MEM.PAGE.ACCEPT of each leaf; if it is split, of its pieces */
	GUEST_READ,        /* one 8-byte read of each page */
	GUEST_WRITE,       /* one 8-byte write to each page */
	GUEST_ATTR_RD,     /* TDG.MEM.PAGE.ATTR.RD of each page */
	GUEST_ATTR_WR,     /* TDG.MEM.PAGE.ATTR.WR of each page (or 2 MB piece), nothing selected */
	GUEST_RTMR_EXTEND, /* TDG.MR.RTMR.EXTEND with the first bytes of each page */
	GUEST_REPORT,      /* TDG.MR.REPORT into each page */
	GUEST_TOUCH,       /* read the pages, all at one RIP */
	GUEST_OTHER_CALL,  /* TDG.VP.INFO: a TDCALL that takes no lock */
	GUEST_MAP_GPA_SHARED,    /* TDG.VP.VMCALL<MapGPA>: convert each page to shared */
	GUEST_MAP_GPA_PRIVATE,   /* the same, back to private */
	GUEST_MAP_RANGE_SHARED,  /* TDG.VP.VMCALL<MapGPA>: convert all pages with one call, */
	GUEST_MAP_RANGE_PRIVATE, /* or with as many as the host asks for; see guest_on_map_retry */
	GUEST_HALT,              /* TDG.VP.VMCALL<HLT>: wait for an interrupt */
	GUEST_LOOP,              /* repeat the operations up to the matching GUEST_END */
	GUEST_END,
};

#define GUEST_FOREVER 0xFFFFFFFFu
/* Nesting of loops. */
#define GUEST_LOOPS_MAX 4

struct guest_op {
	enum guest_opcode code;
	u8 level;    /* of the range's leaves: 0 = 4 KB, 1 = 2 MB */
	u8 rtmr;     /* RTMR_EXTEND: which register */
	bool random; /* one page of the range, drawn anew each time, instead of all */
	u64 gpa;     /* first page */
	u64 count;   /* leaves in the range; 1 for operations without a range */
	u32 times;   /* GUEST_LOOP: iterations or GUEST_FOREVER */
	u32 match;   /* GUEST_LOOP: index of its END; GUEST_END: index of its LOOP */
	u64 rip;     /* index of the first instruction; filled by guest_program_link() */
};

/* What a guest does when a TDCALL returns TDX_OPERAND_BUSY. */
enum guest_on_busy {
	GUEST_BUSY_RETRY,      /* again, until it works */
	GUEST_BUSY_FATAL,      /* stop: the program ends as failed */
	GUEST_BUSY_RETRY_N,    /* again, at most busy_retries times, then as FATAL */
	GUEST_BUSY_SPIN_OTHER, /* again, with a TDG.VP.INFO in between */
};

/* What a guest does when a MapGPA of a range returns RETRY, with a GPA to go on from. */
enum guest_on_map_retry {
	GUEST_MAP_CONTINUE, /* calls again from there, for as long as it takes */
	GUEST_MAP_IGNORE,   /* takes it for done */
	GUEST_MAP_RETRY_N,  /* calls again at most map_retries times, then fails */
};

/* Read-only once linked; many vCPUs may share one. */
struct guest_program {
	const struct guest_op *ops;
	u32 count;
	enum guest_on_busy on_busy;
	u32 busy_retries;
	enum guest_on_map_retry on_map_retry;
	u32 map_retries;
	bool accept_on_ve; /* the #VE handler accepts the page; else a #VE is fatal */
};

enum guest_state {
	GUEST_RUNNING,
	GUEST_DONE,   /* all operations ran */
	GUEST_FAILED, /* see guest->why */
};

/* One vCPU's guest. Lives in the arena. */
struct guest {
	struct sl_guest base; /* first: what TDH.VP.ENTER calls */
	struct sl_env *env;   /* of the lane that runs the vCPU: set when it is entered */
	const struct guest_program *program;
	/* The program counter: operation, page within it. */
	u32 op;
	u64 page;
	u64 picked; /* page drawn by a random operation, while it is in progress */
	bool has_picked;
	u32 loops_left[GUEST_LOOPS_MAX];
	u32 loop_depth;
	u32 busy_count;
	u32 pieces; /* of a large page that the host has split: so many are left to accept */
	/* #VE handler. */
	u8 ve_step; /* 0 = not in the handler */
	u64 ve_gpa;
	u64 ve_rip;
	enum guest_state state;
	u64 why; /* status that ended a FAILED program */
};

/* Fills rip and match of every operation. Loops must be balanced (the scenario layer checks). */
void guest_program_link(struct guest_op *ops, u32 count);

void guest_init(struct guest *g, struct sl_env *env, const struct guest_program *program);

/* Starts the program over (a new TD with the same guest). */
void guest_reset(struct guest *g);

#endif
