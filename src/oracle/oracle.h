/* SPDX-License-Identifier: MIT */
/*
 * What must never happen. Each invariant has a number for life; a broken one is a finding of kind
 * "oracle". Oracles read module and host state and change nothing. Layer: oracle.
 *
 * INV-TLB-01   a guest never uses a cached translation after the page was removed
 * INV-LOCK-01  at rest no module lock is held (HOST_PRIORITY aside)
 * INV-LOCK-02  at rest no HOST_PRIORITY is left behind (only where a scenario claims it)
 * INV-EPOCH-01 at rest both epoch reference counts are 0
 * INV-VCPU-01  at rest no vCPU is ACTIVE, and NUM_ASSOC_VCPUS counts the associated ones
 * INV-SEPT-01  every page that the S-EPT maps belongs to the TD, at the size of the mapping
 * INV-PAMT-01  CHLDCNT is the number of 4 KB units that the TD owns, the TDR aside
 * INV-MIRROR-01 at rest mirror and S-EPT agree, and no SPTE is frozen
 * INV-EMPTY-01 after teardown no page belongs to a TD
 * INV-EMPTY-02 after teardown no key id is in use
 *
 * INV-WORD-01 to INV-WORD-04 are about a bare lock word: see word.h.
 */
#ifndef SL_ORACLE_ORACLE_H
#define SL_ORACLE_ORACLE_H

#include <seamlab/module.h>

#include "base/env.h"
#include "host/host.h"

/* Checks INV-TLB-01 at every use of a cached translation from here on. */
void oracle_watch(struct sl_machine *m);

/* What holds in one scenario and not in another. */
struct oracle_claims {
	bool no_stale_hp; /* INV-LOCK-02 too */
	bool no_mirror;   /* SEAMCALLs have been made behind the VMM's back: not INV-MIRROR-01 */
};

/* No lane runs; TDs may stand. Returns the number of findings. */
u32 oracle_check_at_rest(struct sl_machine *m, struct vmm *vmm, struct sl_env *env,
			 const struct oracle_claims *claims);
/* No lane runs and every TD has been torn down. Returns the number of findings. */
u32 oracle_check_empty(struct sl_machine *m, struct vmm *vmm, struct sl_env *env);

#endif
