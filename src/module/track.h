/* SPDX-License-Identifier: MIT */
/*
 * TLB tracking: TD_EPOCH, the reference counts of running vCPUs, and the "is it tracked" predicate
 * (spec: "TLB tracking"). Layer: module, private.
 */
#ifndef SL_MODULE_TRACK_H
#define SL_MODULE_TRACK_H

#include "module/machine.h"

/* A BEPOCH with this bit set is a migration epoch and never tracked. */
#define BEPOCH_MIGRATION BIT_ULL(63)

static inline u64 epoch_read(const struct tdcs *tdcs)
{
	return atomic_load_explicit(&tdcs->epoch.f.epoch, memory_order_seq_cst);
}

/*
 * Has every translation that was cached before @bepoch's block left the TLBs? Reads the epoch and
 * both counts in one atomic access and takes no lock.
 */
static inline bool td_is_tracked(struct tdcs *tdcs, u64 bepoch)
{
	union td_epoch now;

	if (bepoch & BEPOCH_MIGRATION)
		return false;
#ifdef __clang__
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Watomic-alignment"
#endif
	/* Pairs with epoch_leave() of the last vCPU of the old epoch and with tdh_mem_track(). */
	now.whole = __atomic_load_n(&tdcs->epoch.whole, __ATOMIC_SEQ_CST);
#ifdef __clang__
#pragma clang diagnostic pop
#endif
	if (bepoch == now.f.epoch - 1)
		return now.f.refcount[bepoch & 1] == 0;
	return bepoch < now.f.epoch - 1;
}

/* A vCPU goes in under @epoch; the epoch lock is held shared. */
static inline void epoch_enter(struct tdcs *tdcs, u64 epoch)
{
	atomic_fetch_add_explicit(&tdcs->epoch.f.refcount[epoch & 1], 1, memory_order_seq_cst);
}

/* The vCPU that went in under @epoch is out, its translations unused from here on. No lock. */
static inline void epoch_leave(struct sl_lp *lp, struct tdcs *tdcs, u64 epoch)
{
	u16 old = atomic_fetch_sub_explicit(&tdcs->epoch.f.refcount[epoch & 1], 1,
					    memory_order_seq_cst);

	/* Nobody left who had not entered: the count would wrap, and tracking would be blind. */
	if (sl_unlikely(old == 0))
		(void)!module_halt(lp, "REFCOUNT", "a vCPU leaves epoch %llu, which has none",
				   (unsigned long long)epoch);
}

#endif
