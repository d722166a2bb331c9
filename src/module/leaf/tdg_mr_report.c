// SPDX-License-Identifier: MIT
#include <string.h>

#include "module/guest_operand.h"
#include "module/leaf/leaf.h"
#include "module/measure.h"

#define REPORT_ALIGN    1024
#define DATA_ALIGN      64
#define REPORT_TYPE_TDX 0x81

/* REPORTMACSTRUCT: what the processor signs. */
struct report_mac {
	u8 type, subtype, version, reserved0;
	u8 reserved1[12];
	u8 cpusvn[16];
	u8 tcb_info_hash[SHA384_SIZE];
	u8 tdinfo_hash[SHA384_SIZE];
	u8 data[64];
	u8 reserved2[32];
	u8 mac[HMAC256_SIZE];
};
_Static_assert(sizeof(struct report_mac) == 256, "REPORTMACSTRUCT is 256 bytes");

/* TDINFO_STRUCT. */
struct tdinfo {
	u64 attributes;
	u64 xfam;
	u8 mrtd[SHA384_SIZE];
	u8 ids[3][SHA384_SIZE];
	u8 rtmr[RTMRS][SHA384_SIZE];
	u8 servtd_hash[SHA384_SIZE];
	u8 reserved[64];
};
_Static_assert(sizeof(struct tdinfo) == 512, "TDINFO_STRUCT is 512 bytes");

#define TCB_INFO_SIZE 239

/* TDREPORT_STRUCT. */
struct report {
	struct report_mac mac;
	u8 tcb_info[TCB_INFO_SIZE];
	u8 reserved[17];
	struct tdinfo td;
};
_Static_assert(sizeof(struct report) == 1024, "TDREPORT_STRUCT is 1024 bytes");

/* Stands in for the key that a processor makes up at each boot. */
static const char report_key[] = "the report key of no processor";

/* The digest of @td: as the last report computed it, or computed now and kept. */
static void hash_tdinfo(struct call *c, struct tdcs *tdcs, const struct tdinfo *td, u8 *hash)
{
	u64 words[SHA384_SIZE / 8];

	if (!c->m->cfg.measurement)
		return;
	/* Pairs with the store below: whoever sees that it is good sees all of it. */
	if (atomic_load_explicit(&tdcs->tdinfo_hash_valid, memory_order_acquire)) {
		for (u32 i = 0; i < ARRAY_SIZE(words); i++)
			words[i] =
				atomic_load_explicit(&tdcs->tdinfo_hash[i], memory_order_relaxed);
		memcpy(hash, words, sizeof(words));
		return;
	}
	sha384_of(td, sizeof(*td), hash);
	memcpy(words, hash, sizeof(words));
	for (u32 i = 0; i < ARRAY_SIZE(words); i++)
		atomic_store_explicit(&tdcs->tdinfo_hash[i], words[i], memory_order_relaxed);
	atomic_store_explicit(&tdcs->tdinfo_hash_valid, true, memory_order_release);
}

/* What the TD is, under the RTMR lock. */
static u64 collect(struct call *c, struct report *r)
{
	struct tdcs *tdcs = c->lp->tdcs;
	u64 st = rtmr_lock(c, LOCK_SH);

	if (st)
		return st;
	r->td.attributes = tdcs->attributes;
	r->td.xfam = tdcs->xfam;
	memcpy(r->td.mrtd, tdcs->mrtd, sizeof(r->td.mrtd));
	memcpy(r->td.ids, tdcs->ids, sizeof(r->td.ids));
	memcpy(r->td.rtmr, tdcs->rtmr, sizeof(r->td.rtmr));
	hash_tdinfo(c, tdcs, &r->td, r->mac.tdinfo_hash);
	rtmr_unlock(c, LOCK_SH);
	return 0;
}

static void sign(struct call *c, struct report *r)
{
	r->mac.type = REPORT_TYPE_TDX;
	if (!c->m->cfg.measurement)
		return;
	sha384_of(r->tcb_info, sizeof(r->tcb_info), r->mac.tcb_info_hash);
	hmac256_of(report_key, strlen(report_key), &r->mac, offsetof(struct report_mac, mac),
		   r->mac.mac);
}

/*
 * tdg_mr_report - report what the TD is, with 64 bytes of the guest's choice, signed
 *
 * Side:   guest
 * Locks:  RTMR shared, while the registers are copied and hashed
 * Checks: both GPAs, subtype, access to the report and to the data (#VE or TD exit), lock; then an
 *         interrupt that is pending makes the guest start over, with the digest kept
 * Commit: the report in the guest's memory
 * Status: SUCCESS, OPERAND_INVALID (RCX, RDX, R8), BUSY
 */
u64 tdg_mr_report(struct call *c)
{
	u64 to = c->args->rcx, from = c->args->rdx;
	struct report r = { 0 };
	struct hpa to_page, from_page;
	u64 st;

	st = guest_operand_check(c, to, REPORT_ALIGN, TDX_OPERAND_ID_RCX);
	if (!st)
		st = guest_operand_check(c, from, DATA_ALIGN, TDX_OPERAND_ID_RDX);
	if (!st && c->args->r8)
		st = with_op(TDX_OPERAND_INVALID, TDX_OPERAND_ID_R8);
	if (st)
		return st;
	if (!guest_operand_map(c, to, true, &to_page, &st) ||
	    !guest_operand_map(c, from, false, &from_page, &st))
		return st;
	guest_operand_read(c, from_page, from, r.mac.data, sizeof(r.mac.data));
	st = collect(c, &r);
	if (st)
		return st;
	if (lp_interrupt_pending(c->lp)) {
		c->restart = true;
		return 0;
	}
	sign(c, &r);
	guest_operand_write(c, to_page, to, &r, sizeof(r));
	return 0;
}
