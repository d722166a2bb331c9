/* SPDX-License-Identifier: MIT */
/*
 * A world: machine, VMM, guests and lanes made from a scenario, in one arena; and what each lane
 * does. The same lane code runs under every engine. Layer: engine.
 */
#ifndef SL_ENGINE_WORLD_H
#define SL_ENGINE_WORLD_H

#include "base/env.h"
#include "base/err.h"
#include "engine/caller.h"
#include "guest/guest.h"
#include "host/host.h"
#include "oracle/oracle.h"
#include "scenario/scenario.h"

enum lane_kind {
	LANE_VCPU,
	LANE_HOST,
	LANE_LP,     /* raw SEAMCALLs */
	LANE_CALLER, /* operations on the lock word; the only kind where there is one */
};

struct lane {
	enum lane_kind kind;
	u32 td;    /* vCPU lanes */
	u32 index; /* vCPU within its TD, or number of the lane */
	u32 cpu;
	struct sl_env *env;
	char name[32]; /* "vcpu0", "td1.vcpu2", "host0" */
	/* Host lanes: which operation, which turns of its loops; for checkpoints inside it. */
	u32 at;
	u64 turns;
};

/* A TD's vCPU lanes start together and are counted out. */
struct td_gate {
	_Alignas(SL_CACHELINE) _Atomic u32 generation; /* +1: run your programs once */
	_Atomic u32 finished;                          /* vCPU lanes that are through */
	/* How often a host lane has let this TD run; only that lane's. */
	u32 started;
};

#define WORLD_LANES_MAX (SCN_TDS_MAX * SCN_VCPUS_MAX + SCN_HOSTS_MAX + SCN_LPS_MAX)
_Static_assert(SCN_CALLERS_MAX <= WORLD_LANES_MAX, "the lanes of a lock fit, too");

struct world {
	const struct scenario *scenario;
	struct caller_world *caller; /* a lock word, and then nothing else; or NULL */
	struct sl_machine *machine;
	struct oracle *oracle; /* of the machine; none of a lock word */
	struct vmm *vmm;
	struct guest *guest[SCN_TDS_MAX];
	struct guest_program program[SCN_TDS_MAX][SCN_VCPUS_MAX];
	struct td_gate gate[SCN_TDS_MAX];
	_Atomic u32 stop;
	_Atomic u32 hosts_left; /* host lanes that have not ended */
	struct lane lane[WORLD_LANES_MAX];
	u32 lane_count;
	u32 boss_cpu; /* for building and tearing down around the lanes */
};

/* How many lanes the world of @s has. */
u32 world_lane_count(const struct scenario *s);

/* Address space that the world of @s takes. 0 on success. */
int world_arena_size(const struct scenario *s, size_t *size, struct sl_err *err);

/*
 * Makes the world in @arena (zeroed, page aligned). @boss is the env of the thread that builds.
 * Each lane's env has to be set with world_set_env() before it runs.
 */
struct world *world_init(const struct scenario *s, void *arena, size_t size, struct sl_env *boss);
void world_set_env(struct world *w, u32 lane, struct sl_env *env);

/* Brings the module up and builds the TDs that no host lane builds. 0 or -errno. */
int world_start(struct world *w, struct sl_env *boss, struct sl_err *err);
/* What stopped the raw SEAMCALLs of the scenario's `setup`. */
struct lp_error {
	u32 leaf;
	u64 status; /* 0: nothing */
};
/* Makes them, in world_start(). False at the first that fails. */
bool world_setup(struct world *w, struct sl_env *boss, struct lp_error *error);
/* What lane @lane does, from its first operation to its last. */
void world_run_lane(struct world *w, u32 lane);
/* Asks the lanes to come to an end: vCPUs leave their run loops, endless loops stop. Any thread. */
void world_stop(struct world *w);
/*
 * After all lanes have ended: oracles, teardown of what stands, oracles again. With lanes of raw
 * SEAMCALLs nothing is torn down, because the VMM's mirror knows nothing of them: then, and on a
 * lock word, the oracles at rest have the last word.
 */
void world_finish(struct world *w, struct sl_env *boss);

/* Does lane @lane come to an end by itself, as far as its program goes? */
bool world_lane_is_finite(const struct world *w, u32 lane);

#endif
