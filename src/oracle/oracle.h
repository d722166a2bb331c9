/* SPDX-License-Identifier: MIT */
/*
 * What must never happen to a machine and its VMM: the table is oracle.def. A broken invariant is a
 * finding of kind "oracle". Oracles read module and host state and change nothing.
 *
 * An oracle watches one machine from its first SEAMCALL on. What it knows besides the machine's own
 * state it has been told by the leaves, as they commit: for each page who has it, where it is mapped
 * and whether the guest has accepted it, one word that only changes under the locks that the leaf
 * holds. Nothing else ever waits for it. Bare lock words have their own: word.h. Layer: oracle.
 *
 * operation            | needs outside exclusion
 * ---------------------|------------------------------------------
 * what the machine tells | no
 * init, at_rest, empty | yes: no LP is in a call
 */
#ifndef SL_ORACLE_ORACLE_H
#define SL_ORACLE_ORACLE_H

#include <seamlab/module.h>

#include "base/env.h"
#include "host/host.h"
#include "oracle/table.h"

struct oracle;

/* Bytes, page aligned memory: an oracle for a machine with this configuration. */
size_t oracle_size(const struct sl_machine_config *cfg);
/*
 * In @room, which must be zero and have oracle_size() bytes. Everything in there is for oracles only,
 * a function of what the module has done.
 */
struct oracle *oracle_init(void *room, struct sl_machine *m);

/* What holds in one scenario and not in another. */
struct oracle_claims {
	bool no_stale_hp; /* INV-LOCK-02 too */
	bool no_mirror;   /* SEAMCALLs have been made behind the VMM's back: not INV-MIRROR-01 */
};

/* No lane runs; TDs may stand. @vmm NULL: there is none. Returns the number of findings. */
u32 oracle_check_at_rest(struct oracle *o, struct vmm *vmm, struct sl_env *env,
			 const struct oracle_claims *claims);
/* No lane runs and every TD has been torn down. Returns the number of findings. */
u32 oracle_check_empty(struct oracle *o, struct sl_env *env);

#endif
