/* SPDX-License-Identifier: MIT */
/*
 * A world without a machine: one lock word and the lanes that call it. Layer: engine.
 */
#ifndef SL_ENGINE_CALLER_H
#define SL_ENGINE_CALLER_H

#include <seamlab/hplock.h>

#include "base/arena.h"
#include "base/env.h"
#include "oracle/word.h"
#include "scenario/scenario.h"

/* The word, in a cache line of its own. */
union caller_word {
	_Alignas(SL_CACHELINE) hp_mutex_t mutex;
	sharex_t sharex;
	sharex_hp_t sharex_hp;
	_Atomic u64 entry;
};

struct caller_world {
	union caller_word word;
	struct word_ghost ghost;
	_Alignas(SL_CACHELINE) enum scn_lock_kind kind;
	bool hardened;
	/*
	 * Nothing comes between a lane's access to the word and what it does next (explorer). Then
	 * a hold ends with the release's last step; else with the call of the release.
	 */
	bool stepwise;
	struct word_oracle oracle;
	const struct scn_caller *program; /* of the scenario, by number */
};

size_t caller_arena_size(void);
struct caller_world *caller_init(const struct scenario *s, struct sl_arena *a);
/* What caller lane @number does, from its first operation to its last. */
void caller_run(struct caller_world *w, u32 number, struct sl_env *env);
/* Endless loops and retries stop at the next turn. Any thread. */
void caller_stop(struct caller_world *w);
/* After all lanes have ended. */
void caller_finish(struct caller_world *w, struct sl_env *env);

/* Results of SL_NOTE_WORD, its b; a is the operation: enum scn_caller_opcode, side << 8. */
enum caller_result {
	CALLER_GRANTED,
	CALLER_BUSY,
	CALLER_BUSY_HP,
	CALLER_DONE,
};

#endif
