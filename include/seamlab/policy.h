/* SPDX-License-Identifier: MIT */
/*
 * A host policy of your own, as a shared object. Self-contained, C11 and C++.
 *
 * The shared object exports one constant with the name seamlab_policy:
 *
 *	#include <seamlab/policy.h>
 *
 *	static uint32_t on_busy(const struct sl_policy_context *c)
 *	{
 *		if (c->mmu_lock == SL_MMU_LOCK_WRITE)
 *			return c->attempt < 3 ? SL_ACTION_ENDLESS : SL_ACTION_KICK_ONCE;
 *		return SL_ACTION_TABLE;
 *	}
 *
 *	SL_POLICY_EXPORT const struct sl_policy seamlab_policy = {
 *		SL_POLICY_HEAD,
 *		.name = "kick-when-third",
 *		.base = "kvm-6.19",
 *		.on_busy = on_busy,
 *	};
 *
 * It is built and used like this:
 *
 *	cc -shared -fPIC $(pkg-config --cflags seamlab) mine.c -o mine.so
 *	seamlab check --policy ./mine.so FILE
 *
 * A hook is a pure function of its context: the same context gives the same answer, now and later, in
 * this process and in the next. It keeps no state, asks no clock, and calls nothing that does. Every
 * interleaving is explored with it, so it is called very often; each question is asked twice and compared
 * with what was answered before. docs/policies.md says more.
 */
#ifndef SEAMLAB_POLICY_H
#define SEAMLAB_POLICY_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SL_POLICY_MAGIC   0x4C504C53u /* "SLPL" */
#define SL_POLICY_VERSION 1u

/* What a site does about BUSY; as in seamlab policies. */
enum sl_policy_action {
	SL_ACTION_TABLE,       /* what the base says for this site */
	SL_ACTION_RETURN_BUSY, /* hand the status to the caller */
	SL_ACTION_LOCAL_RETRY, /* hand BUSY to the fault handler; see on_fault */
	SL_ACTION_KICK_ONCE,   /* keep vCPUs out, kick them all, try exactly once more */
	SL_ACTION_KICK_OPEN, /* kick all vCPUs, but let them enter again, and try exactly once more */
	SL_ACTION_HOLD_ONLY,    /* let no vCPU enter, kick none, and try exactly once more */
	SL_ACTION_MUST_SUCCEED, /* the VM is bugged */
	SL_ACTION_BLIND,        /* see SL_ACTION_BLIND_N() */
	SL_ACTION_ENDLESS,      /* again on the spot; the next BUSY asks again */
	SL_ACTION_IGNORE,       /* of the table only, not an answer: BUSY is dropped (splits) */
};

/* At most @n tries on the spot, this one included, then give up; @n from 1 to SL_POLICY_ATTEMPT_MAX. */
#define SL_ACTION_BLIND_N(n) (SL_ACTION_BLIND | (uint32_t)(n) << 8)

/* What a fault does that met BUSY, a frozen SPTE or an invalidation; as the switch fault-retry. */
enum sl_policy_fault {
	SL_FAULT_TABLE,
	SL_FAULT_LOCAL,               /* again in the host; an event or a signal gets it out */
	SL_FAULT_LOCAL_WITHOUT_EXITS, /* again in the host, whatever else happens */
	SL_FAULT_GUEST,               /* back to the guest, which faults again */
};

/* What a vCPU does whose TDH.VP.ENTER was BUSY; as the switch enter-on-busy. */
enum sl_policy_enter {
	SL_ENTER_TABLE,
	SL_ENTER_RUN_LOOP, /* through the run loop, and again */
	SL_ENTER_RE_ENTER, /* again at once, with interrupts off */
	SL_ENTER_FATAL,    /* the TD ends */
	SL_ENTER_KICK_ALL, /* kick all vCPUs, keep them out, make the vCPU's last fault good */
};

enum sl_policy_mmu_lock {
	SL_MMU_LOCK_NONE,
	SL_MMU_LOCK_READ, /* nobody can be kicked from here */
	SL_MMU_LOCK_WRITE,
};

/* Counts in a context stay there once they have got there: an endless loop comes back to where it was. */
#define SL_POLICY_ATTEMPT_MAX 32u

struct sl_policy_context {
	const char *
		site_name; /* "fault-aug", "zap-block", "enter", ...: seamlab policies lists them */
	const char *leaf_name; /* "TDH.MEM.PAGE.AUG" */
	uint64_t status; /* all of it; on_fault: the last BUSY of this fault, 0 if there was none */
	uint32_t site;   /* the number of the site in this build; its name stays, this may not */
	uint32_t leaf;   /* the SEAMCALL's number */
	uint32_t operand; /* who was busy: bits 31:0 of the status */
	uint32_t
		attempt; /* BUSY results of this visit so far, from 1; on_fault: attempts at the fault */
	uint32_t actions; /* on_busy: bit n is set if action n can be done here */
	uint8_t mmu_lock; /* enum sl_policy_mmu_lock */
	uint8_t kept_out; /* 1: all vCPUs have been kicked and are kept out */
	uint8_t zero_step; /* 1: TDH.VP.ENTER was BUSY on the S-EPT tree before: the mitigation bites */
	uint8_t reserved; /* 0 */
};

struct sl_policy {
	uint32_t magic;
	uint32_t version;
	uint32_t size;          /* of this struct */
	uint32_t flags;         /* 0 */
	const char *name;       /* in reports: letters, digits, '-', '.', '_'; at most 31 */
	const char *title;      /* one line, or NULL */
	const char *base;       /* the preset that it starts from; NULL: the default */
	const char *const *set; /* "SWITCH=VALUE" on top of it, NULL behind the last one; or NULL */
	/* Hooks. NULL: the tables decide. */
	uint32_t (*on_busy)(const struct sl_policy_context *c);  /* enum sl_policy_action */
	uint32_t (*on_fault)(const struct sl_policy_context *c); /* enum sl_policy_fault */
	uint32_t (*on_enter)(const struct sl_policy_context *c); /* enum sl_policy_enter */
};

/* The first members, in order. */
#define SL_POLICY_HEAD SL_POLICY_MAGIC, SL_POLICY_VERSION, sizeof(struct sl_policy), 0

#ifdef __cplusplus
#define SL_POLICY_EXPORT extern "C" __attribute__((visibility("default")))
#else
#define SL_POLICY_EXPORT __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
}
#endif

#endif
