/* SPDX-License-Identifier: MIT */
/*
 * A hostile host: SEAMCALLs on several LPs, in any order and with any operands, and guests that make
 * TDCALLs. Most calls are chosen so that TDs get built, run, changed and torn down, from what a look at
 * the module's state says is next; some have a wrong bit, or are anything at all. All oracles watch.
 *
 * hostile_step() of different LPs may run in parallel, one caller per LP. What one step does depends on
 * its LP's draws and on the machine alone, so steps in turns on one thread are the same in every run.
 */
#ifndef SL_TESTS_FUZZ_HOSTILE_H
#define SL_TESTS_FUZZ_HOSTILE_H

#include <seamlab/tdx_abi.h>

#include "base/env.h"
#include "base/rng.h"
#include "base/stats.h"
#include "module/machine.h"
#include "oracle/oracle.h"

#define HOSTILE_LPS      4
#define HOSTILE_PACKAGES 2
#define HOSTILE_TDS      3
#define HOSTILE_VCPUS    2

struct hostile;

/* Calls and successes by leaf. */
struct hostile_count {
	u64 seamcall[TDX_SEAMCALL_COUNT], seamcall_ok[TDX_SEAMCALL_COUNT];
	u64 tdcall[TDX_TDCALL_COUNT], tdcall_ok[TDX_TDCALL_COUNT];
	u64 calls; /* all of both kinds */
};

struct hostile_lp {
	struct sl_env env; /* first */
	struct hostile *h;
	struct sl_lp *lp;
	u32 index;
	bool inside; /* a guest runs here */
	u32 cursor;  /* page that was looked at last for a dying TD */
	struct sl_rng rng;
	const u8 *data; /* draws come from here as long as there is something, then from rng */
	size_t left;
	u64 clock;
	struct hostile_count count;
	struct sl_stats stats;
};

struct hostile {
	struct sl_machine *m;
	struct oracle *oracle;
	struct hostile_lp lp[HOSTILE_LPS];
	struct sl_guest guest;
	/* One thread: a guest may be interrupted by steps of other LPs. 0: each LP has its thread. */
	u32 depth_max, depth;
	_Atomic u32 dying;                            /* TDs on their way out, a bit each */
	_Atomic u8 maker[HOSTILE_TDS][HOSTILE_VCPUS]; /* LP that made the vCPU, from 1 on */
	/* A finding: what to do about it is the user's business; may be called from any LP. */
	void (*finding)(struct hostile *h, enum sl_violation kind, const char *id,
			const char *text);
	void *arena;
	size_t size;
};

/* Zeroed first use or reuse of *h, whose arena is kept. The machine is READY afterwards. */
void hostile_up(struct hostile *h, const struct sl_machine_config *like, u64 seed);
void hostile_free(struct hostile *h);
/* Release, flavour and options drawn from @seed. */
void hostile_config(u64 seed, struct sl_machine_config *cfg);
/* One thing that the host does on this LP: mostly one SEAMCALL. */
void hostile_step(struct hostile_lp *l);
/* No LP is in a step: all oracles at rest. Returns the number of findings. */
u32 hostile_at_rest(struct hostile *h);
void hostile_count_add(struct hostile_count *to, const struct hostile_count *from);

#endif
