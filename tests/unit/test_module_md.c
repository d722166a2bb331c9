// SPDX-License-Identifier: MIT
/*
 * Metadata: fields of the module, of TDs and of vCPUs, and of pages; who may read and write what.
 * Ids, masks and limits are written down here as numbers, not taken from the module's tables.
 */
#include "module_fixture.h"

#include <string.h>

static const enum sl_flavour flavours[] = { SL_PUBLISHED, SL_HARDENED };

#define GPA   0x40000000ull
#define NONE  (~0ull)
#define V1    (1ull << 16)
#define RD(n) (SEAMCALL_tdh_##n)

#define HP_LOCK_TIMEOUT 0x9110000300000011ull
#define NOTIFY_ENABLES  0x9110000300000010ull
#define CONFIG_FLAGS    0x1110000300000016ull
#define TD_CTLS         0x1110000300000017ull
#define TD_EPOCH        0x9210000300000000ull
#define VCPU_STATE      0xA020000000000000ull
#define PEND_NMI        0xA02000000000000Bull
#define EPF_LIST        0xA220000300000200ull

/* A TD with attributes and configuration flags; INITIALIZED. */
static void td_with(struct fx *f, struct fx_td *td, u8 attributes, u8 config)
{
	u8 *p;

	fx_td_allocated(f, td);
	p = fx_td_params(f);
	p[0] = attributes;
	p[32] = config;
	is(SC(f, 0, tdh_mng_init, .rcx = td->tdr, .rdx = FX_TD_PARAMS), ST_SUCCESS);
}

static void td_run(struct fx *f, struct fx_td *td, u32 vcpus)
{
	for (u32 i = 0; i < vcpus; i++)
		fx_vcpu_add(f, td, i);
	is(SC(f, 0, tdh_mr_finalize, .rcx = td->tdr), ST_SUCCESS);
}

#define DEBUG 1

/* ---- values --------------------------------------------------------------------------------- */

static void test_td_values(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);
	struct fx_td *td = &f->td[0];
	static const struct {
		u64 id, value;
	} want[] = {
		{ 0x8010000000000001, 0 },      /* FATAL */
		{ 0x8010000200000002, 6 },      /* NUM_TDCX */
		{ 0x8010000300000004, 6 + 12 }, /* CHLDCNT: two vCPUs of six pages */
		{ 0x8010000200000005, 1 },      /* LIFECYCLE_STATE: KEYS_CONFIGURED */
		{ 0x8110000100000001, 33 },     /* HKID */
		{ 0x9010000200000001, 2 },      /* NUM_VCPUS */
		{ 0x9010000200000002, 2 },      /* NUM_ASSOC_VCPUS */
		{ 0x9010000200000004, 2 },      /* OP_STATE: RUNNABLE */
		{ 0x1110000200000002, 4 },      /* MAX_VCPUS */
		{ HP_LOCK_TIMEOUT, 1000000 },   /* microseconds */
		{ CONFIG_FLAGS, 2 },
		{ TD_EPOCH, 3 },
		{ 0x9210000100000001, 7 }, /* REFCOUNT[0] */
		{ 0x9210000100000002, 9 }, /* REFCOUNT[1] */
		{ 0x9810000300000005, 0 }, /* BW_EPOCH */
	};

	(void)state;
	td_with(f, td, 0, 2);
	td_run(f, td, 2);
	for (u32 i = 0; i < 2; i++)
		is(SC(f, 0, tdh_mem_track, .rcx = td->tdr), ST_SUCCESS);
	atomic_store(&fx_tdcs(f, td)->epoch.f.refcount[0], 7);
	atomic_store(&fx_tdcs(f, td)->epoch.f.refcount[1], 9);
	for (u32 i = 0; i < ARRAY_SIZE(want); i++) {
		is(SC(f, 0, tdh_mng_rd, .rcx = td->tdr, .rdx = want[i].id, .r8 = 1), ST_SUCCESS);
		eq(f->out.r8, want[i].value);
		/* Version 0 has no next id. */
		eq(f->out.rdx, want[i].id);
	}
	atomic_store(&fx_tdcs(f, td)->epoch.f.refcount[0], 0);
	atomic_store(&fx_tdcs(f, td)->epoch.f.refcount[1], 0);
	/* Of an id only class and code count: these name the same fields. */
	is(SC(f, 0, tdh_mng_rd, .rcx = td->tdr, .rdx = 0x1100000000000011), ST_SUCCESS);
	eq(f->out.r8, 1000000);
	is(SC(f, 0, tdh_mng_rd, .rcx = td->tdr, .rdx = TD_EPOCH | 1ull << 50 | 1ull << 51),
	   ST_SUCCESS);
	eq(f->out.r8, 3);
	/* A refusal leaves no old value behind. */
	is(SC(f, 0, tdh_mng_rd, .rcx = td->tdr, .rdx = 0x99, .r8 = 77), ST_FIELD_ID);
	eq(f->out.r8, 0);
	is(SC(f, 0, tdh_mng_wr, .rcx = td->tdr, .rdx = 0x99, .r8 = 77), ST_FIELD_ID);
	eq(f->out.r8, 0);
	fx_down(f);
}

static void test_vp_values(void **state)
{
	static const struct {
		u64 id, value;
	} want[] = {
		{ VCPU_STATE, 2 },
		{ 0xA020000200000004, 0 }, /* ASSOC_LPID */
		{ 0xA020000300000006, 5 }, /* VCPU_EPOCH */
		{ PEND_NMI, 0 },
		{ 0xA02000000000000D, 3 },    /* LAST_EPF_GPA_LIST_IDX */
		{ 0xA02000000000000E, 6 },    /* POSSIBLY_EPF_STEPPING */
		{ 0xA02000000000000F, 2 },    /* LAST_TD_EXIT: VMCALL */
		{ 0xA020000300000030, 1234 }, /* HP_LOCK_BUSY_START */
		{ 0xA020000000000031, 1 },    /* HP_LOCK_BUSY */
		{ EPF_LIST, 0 },
		{ EPF_LIST + 31, GPA + 5 },
	};
	struct fx *f = fx_up(SL_PUBLISHED);
	struct fx_td *td = &f->td[0];
	struct tdvps *vp;

	(void)state;
	td_with(f, td, DEBUG, 0);
	td_run(f, td, 1);
	vp = fx_tdvps(f, td->vcpu[0]);
	vp->vcpu_epoch = 5;
	vp->epf_index = 3;
	vp->epf_count = 6;
	vp->last_exit = 2;
	vp->hp_lock_busy = true;
	vp->hp_lock_busy_start = 1234;
	vp->epf_list[31] = GPA + 5;
	for (u32 i = 0; i < ARRAY_SIZE(want); i++) {
		is(SC(f, 0, tdh_vp_rd, .rcx = td->vcpu[0], .rdx = want[i].id), ST_SUCCESS);
		eq(f->out.r8, want[i].value);
	}
	is(SC(f, 0, tdh_vp_rd, .rcx = td->vcpu[0], .rdx = EPF_LIST + 32), ST_FIELD_ID);
	fx_down(f);
}

static void test_sys_values(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);
	static const struct {
		u64 id, value;
	} want[] = {
		{ 0x0A00000300000008, 1 << 4 | 1 << 10 | 1 << 16 },
		{ 0x9100000100000008, 64 },
		{ 0x9100000100000009, 16 },
		{ 0x9100000100000010, 16 },
		{ 0x9100000100000011, 16 },
		{ 0x9100000100000012, 16 },
		{ 0x1900000300000000, 0x8000000050000001 },
		{ 0x1900000300000001, 0 },
		{ 0x1900000300000002, 0x600E7 },
		{ 0x1900000300000003, 3 },
	};

	(void)state;
	is(SC(f, 0, tdh_sys_rd, .rdx = NONE), ST_FIRST_FIELD);
	eq(f->out.r8, 0);
	for (u32 i = 0; i < ARRAY_SIZE(want); i++) {
		eq(f->out.rdx, want[i].id);
		is(SC(f, 0, tdh_sys_rd, .rdx = want[i].id), ST_SUCCESS);
		eq(f->out.r8, want[i].value);
	}
	eq(f->out.rdx, NONE);
	is(SC(f, 0, tdh_sys_rd, .rdx = TD_EPOCH), ST_FIELD_ID);
	eq(f->out.rdx, NONE);
	/* Before the module is READY, on a LP that is initialised; not on another. */
	f->lp[1]->initialized = false;
	atomic_store(&f->m->sys_state, SYS_INIT_DONE);
	is(SC(f, 0, tdh_sys_rd, .rdx = want[0].id), ST_SUCCESS);
	is(SC(f, 1, tdh_sys_rd, .rdx = want[0].id), ST_SYS_LP_INIT_NOT_DONE);
	eq(f->out.rdx, NONE);
	fx_down(f);
}

static u64 word_at(const u8 *p, u32 at, u32 bytes)
{
	u64 value = 0;

	memcpy(&value, p + at, bytes);
	return value;
}

static void test_sys_info(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);
	const u8 *info = sl_machine_shared(f->m, FX_SOURCE);
	u8 *cmrs = sl_machine_shared(f->m, FX_SOURCE + 0x800);

	(void)state;
	memset(cmrs, 0xFF, 1024);
	is(SC(f, 0, tdh_sys_info, .rcx = FX_SOURCE, .rdx = 4096, .r8 = FX_SOURCE + 0x800, .r9 = 99),
	   ST_SUCCESS);
	eq(f->out.rdx, 1024);
	eq(f->out.r9, 32);
	eq(word_at(info, 4, 4), 0x8086);
	eq(word_at(info, 14, 2), 5);
	eq(word_at(info, 16, 2), 1);
	eq(word_at(info, 32, 2), 64);
	eq(word_at(info, 34, 2), 16);
	eq(word_at(info, 36, 2), 16);
	eq(word_at(info, 48, 2), 6 * 4096);
	eq(word_at(info, 52, 2), 6 * 4096);
	eq(word_at(info, 64, 8), 0x8000000050000001);
	eq(word_at(info, 80, 8), 0x600E7);
	eq(word_at(info, 88, 8), 3);
	eq(word_at(info, 128, 4), 0);
	eq(word_at(cmrs, 0, 8), SL_PRIVATE_BASE);
	eq(word_at(cmrs, 8, 8), (u64)FX_PAGES * 4096);
	for (u32 i = 16; i < 512; i++)
		eq(cmrs[i], 0);
	eq(cmrs[512], 0xFF);
	/* A refusal writes nothing. */
	memset(cmrs, 0xEE, 512);
	is(SC(f, 0, tdh_sys_info, .rcx = FX_SOURCE, .rdx = 1024, .r8 = FX_SOURCE + 0x800, .r9 = 31),
	   ST_INVALID(R_R9));
	eq(cmrs[0], 0xEE);
	fx_down(f);
}

/* ---- one field after the other ----------------------------------------------------------------- */

static const u64 td_ids[] = {
	0x8010000000000001, 0x8010000200000002, 0x8010000300000004, 0x8010000200000005,
	0x8110000100000001, 0x9010000200000001, 0x9010000200000002, 0x9010000200000004,
	0x1110000200000002, HP_LOCK_TIMEOUT,    CONFIG_FLAGS,       TD_EPOCH,
	0x9210000100000001, 0x9210000100000002, 0x9810000300000005,
};

static void test_next(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);
	struct fx_td *td = &f->td[0];
	u64 id, count = 0;

	(void)state;
	td_with(f, td, 0, 0);
	td_with(f, &f->td[1], DEBUG, 0);
	is(fx_seamcall(f, 0, RD(mng_rd) | V1,
		       (struct tdx_module_args){ .rcx = td->tdr, .rdx = NONE }),
	   ST_FIRST_FIELD);
	for (u32 i = 0; i < ARRAY_SIZE(td_ids); i++) {
		eq(f->out.rdx, td_ids[i]);
		id = f->out.rdx;
		is(fx_seamcall(f, 0, RD(mng_rd) | V1,
			       (struct tdx_module_args){ .rcx = td->tdr, .rdx = id }),
		   ST_SUCCESS);
	}
	eq(f->out.rdx, NONE);
	/* A field that is the guest's alone, and one that is nobody's. */
	is(fx_seamcall(f, 0, RD(mng_rd) | V1,
		       (struct tdx_module_args){ .rcx = td->tdr, .rdx = TD_CTLS }),
	   ST_FIELD_NOT_READABLE);
	eq(f->out.rdx, NONE);
	is(fx_seamcall(f, 0, RD(mng_rd) | V1,
		       (struct tdx_module_args){ .rcx = td->tdr, .rdx = 0x99 }),
	   ST_FIELD_ID);
	eq(f->out.rdx, NONE);
	/* The host of a debug TD sees two more, in their places. */
	id = f->out.rdx;
	for (;; count++) {
		is(fx_seamcall(f, 0, RD(mng_rd) | V1,
			       (struct tdx_module_args){ .rcx = f->td[1].tdr, .rdx = id }),
		   id == NONE ? ST_FIRST_FIELD : ST_SUCCESS);
		if (id == 0x1110000200000002)
			eq(f->out.rdx, NOTIFY_ENABLES);
		if (id == CONFIG_FLAGS)
			eq(f->out.rdx, TD_CTLS);
		id = f->out.rdx;
		if (id == NONE)
			break;
	}
	eq(count, ARRAY_SIZE(td_ids) + 2);
	/* Version 0 does not know of the null id. */
	is(SC(f, 0, tdh_mng_rd, .rcx = td->tdr, .rdx = NONE), ST_FIELD_ID);
	fx_down(f);
}

static u32 walk_vp(struct fx *f, u64 vcpu)
{
	u64 id = NONE;
	u32 count = 0;

	do {
		is(fx_seamcall(f, 0, RD(vp_rd) | V1,
			       (struct tdx_module_args){ .rcx = vcpu, .rdx = id }),
		   id == NONE ? ST_FIRST_FIELD : ST_SUCCESS);
		id = f->out.rdx;
		count++;
	} while (id != NONE);
	return count - 1;
}

static void test_next_vp(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);

	(void)state;
	td_with(f, &f->td[0], 0, 0);
	td_run(f, &f->td[0], 1);
	eq(walk_vp(f, f->td[0].vcpu[0]), 9);
	td_with(f, &f->td[1], DEBUG, 0);
	td_run(f, &f->td[1], 1);
	eq(walk_vp(f, f->td[1].vcpu[0]), 9 + 32);
	fx_down(f);
}

/* ---- writing -------------------------------------------------------------------------------- */

static void test_hp_lock_timeout(void **state)
{
	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(flavours); i++) {
		struct fx *f = fx_up(flavours[i]);
		struct fx_td *td = &f->td[0];
		u64 most = 100000000;

		fx_td_initialized(f, td, 0);
		is(SC(f, 0, tdh_mng_wr, .rcx = td->tdr, .rdx = HP_LOCK_TIMEOUT, .r8 = 10000,
		      .r9 = NONE),
		   ST_SUCCESS);
		eq(f->out.r8, 1000000);
		eq(atomic_load(&fx_tdcs(f, td)->hp_lock_timeout), 10000 * FX_TSC);
		is(SC(f, 0, tdh_mng_wr, .rcx = td->tdr, .rdx = HP_LOCK_TIMEOUT, .r8 = most,
		      .r9 = NONE),
		   ST_SUCCESS);
		eq(f->out.r8, 10000);
		eq(atomic_load(&fx_tdcs(f, td)->hp_lock_timeout), most * FX_TSC);
		/* A clock on which the longest timeout has more than 32 bits. */
		f->env[0].base.tsc_per_us = 2000;
		is(SC(f, 0, tdh_mng_wr, .rcx = td->tdr, .rdx = HP_LOCK_TIMEOUT, .r8 = 2147484,
		      .r9 = NONE),
		   ST_SUCCESS);
		eq(atomic_load(&fx_tdcs(f, td)->hp_lock_timeout),
		   flavours[i] == SL_PUBLISHED ? 2147484ull * 2000 - (1ull << 32)
					       : 2147484ull * 2000);
		fx_down(f);
	}
}

static void test_debug_host(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);
	struct fx_td *td = &f->td[0];

	(void)state;
	td_with(f, td, DEBUG, 0);
	is(SC(f, 0, tdh_mng_wr, .rcx = td->tdr, .rdx = NOTIFY_ENABLES, .r8 = 0xFF, .r9 = 5),
	   ST_SUCCESS);
	eq(f->out.r8, 0);
	is(SC(f, 0, tdh_mng_rd, .rcx = td->tdr, .rdx = NOTIFY_ENABLES), ST_SUCCESS);
	eq(f->out.r8, 5);
	is(SC(f, 0, tdh_mng_rd, .rcx = td->tdr, .rdx = TD_CTLS), ST_SUCCESS);
	is(SC(f, 0, tdh_mng_wr, .rcx = td->tdr, .rdx = TD_CTLS, .r8 = 1, .r9 = 1),
	   ST_FIELD_NOT_WRITABLE);
	is(SC(f, 0, tdh_mng_wr, .rcx = td->tdr, .rdx = NOTIFY_ENABLES, .r8 = 1, .r9 = 0),
	   ST_FIELD_NOT_WRITABLE);
	fx_down(f);
}

static void changes_notify(struct fx *f, struct sl_lp *lp)
{
	(void)lp;
	atomic_store(&fx_tdcs(f, &f->td[0])->notify_enables, 4);
}

/* Somebody writes the field between the read and the swap of TDH.MNG.WR. */
static void test_host_swap_fails(void **state)
{
	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(flavours); i++) {
		struct fx *f = fx_up(flavours[i]);
		struct fx_td *td = &f->td[0];

		td_with(f, td, DEBUG, 0);
		/* The first write to the TDCS takes the OP_STATE lock. */
		fx_trap_after(f, td->tdcx[0], 1, changes_notify);
		is(SC(f, 0, tdh_mng_wr, .rcx = td->tdr, .rdx = NOTIFY_ENABLES, .r8 = 1, .r9 = 1),
		   ST_BUSY(R_METADATA_FIELD));
		eq(f->traps, 1);
		eq(f->out.r8, 0);
		eq(atomic_load(&fx_tdcs(f, td)->notify_enables), 4);
		is(SC(f, 0, tdh_mng_wr, .rcx = td->tdr, .rdx = NOTIFY_ENABLES, .r8 = 1, .r9 = 1),
		   ST_SUCCESS);
		eq(f->out.r8, 4);
		eq(atomic_load(&fx_tdcs(f, td)->notify_enables), 5);
		fx_down(f);
	}
}

/* ---- the guest ------------------------------------------------------------------------------- */

static void guest_fields(struct fx *f, struct sl_lp *lp)
{
	struct tdx_module_args null = { .rdx = NONE };

	is(TC(f, lp, tdg_vm_rd, .rdx = CONFIG_FLAGS), ST_SUCCESS);
	eq(f->g.r8, 2);
	is(TC(f, lp, tdg_vm_rd, .rdx = 0x1100000000000010), ST_SUCCESS);
	eq(f->g.r8, 0);
	is(TC(f, lp, tdg_vm_wr, .rdx = NOTIFY_ENABLES, .r8 = NONE, .r9 = NONE), ST_SUCCESS);
	eq(f->g.r8, 0);
	is(TC(f, lp, tdg_vm_rd, .rdx = NOTIFY_ENABLES), ST_SUCCESS);
	eq(f->g.r8, 1);
	/* TD_CTLS was set by SEPT_VE_DISABLE, and is flexible in this TD. */
	is(TC(f, lp, tdg_vm_wr, .rdx = TD_CTLS, .r8 = 1, .r9 = 1), ST_SUCCESS);
	eq(f->g.r8, 0);
	is(TC(f, lp, tdg_vm_rd, .rdx = TD_CTLS), ST_SUCCESS);
	eq(f->g.r8, 1);
	is(TC(f, lp, tdg_vm_rd, .rdx = HP_LOCK_TIMEOUT), ST_FIELD_NOT_READABLE);
	eq(f->g.r8, 0);
	/* One after the other. */
	is(fx_tdcall(f, lp, TDCALL_tdg_vm_rd | V1, null), ST_FIRST_FIELD);
	eq(f->g.rdx, NOTIFY_ENABLES);
	is(fx_tdcall(f, lp, TDCALL_tdg_vm_rd | V1,
		     (struct tdx_module_args){ .rdx = NOTIFY_ENABLES }),
	   ST_SUCCESS);
	eq(f->g.rdx, CONFIG_FLAGS);
	is(fx_tdcall(f, lp, TDCALL_tdg_vm_rd | V1, (struct tdx_module_args){ .rdx = CONFIG_FLAGS }),
	   ST_SUCCESS);
	eq(f->g.rdx, TD_CTLS);
	is(fx_tdcall(f, lp, TDCALL_tdg_vm_rd | V1, (struct tdx_module_args){ .rdx = TD_CTLS }),
	   ST_SUCCESS);
	eq(f->g.rdx, NONE);
	is(fx_tdcall(f, lp, TDCALL_tdg_vm_rd | 2 * V1, null), ST_INVALID(R_RAX));
	is(fx_tdcall(f, lp, TDCALL_tdg_vm_wr | V1, null), ST_INVALID(R_RAX));
	is(fx_tdcall(f, lp, TDCALL_tdg_vm_rd | V1,
		     (struct tdx_module_args){ .rcx = 1, .rdx = NONE }),
	   ST_INVALID(R_RCX));
	eq(f->g.rdx, NONE);
}

static void guest_vp_fields(struct fx *f, struct sl_lp *lp)
{
	is(TC(f, lp, tdg_vp_rd, .rdx = NONE), ST_FIRST_FIELD);
	eq(f->g.rdx, NONE);
	is(TC(f, lp, tdg_vp_rd, .rcx = 1, .rdx = VCPU_STATE), ST_INVALID(R_RCX));
	is(TC(f, lp, tdg_vp_rd, .rdx = VCPU_STATE, .r8 = 9), ST_FIELD_NOT_READABLE);
	eq(f->g.r8, 0);
	eq(f->g.rdx, NONE);
	is(TC(f, lp, tdg_vp_rd, .rdx = TD_CTLS), ST_FIELD_ID);
	is(TC(f, lp, tdg_vp_wr, .rcx = 1, .rdx = VCPU_STATE), ST_INVALID(R_RCX));
	is(TC(f, lp, tdg_vp_wr, .rdx = PEND_NMI, .r8 = 1, .r9 = 1), ST_FIELD_NOT_WRITABLE);
	eq(f->g.r8, 0);
	is(TC(f, lp, tdg_vp_wr, .rdx = TD_CTLS, .r8 = 1, .r9 = 1), ST_FIELD_ID);
}

static void test_guest_fields(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);
	struct fx_td *td = &f->td[0];

	(void)state;
	td_with(f, td, 0, 2);
	td_run(f, td, 1);
	is(fx_enter(f, 0, td->vcpu[0], guest_fields), EXIT_VMCALL);
	is(fx_enter(f, 0, td->vcpu[0], guest_vp_fields), EXIT_VMCALL);
	fx_down(f);
}

/* PENDING_VE_DISABLE as MNG.INIT set it, in a TD that may not change it. */
static void guest_fixed(struct fx *f, struct sl_lp *lp)
{
	is(TC(f, lp, tdg_vm_wr, .rdx = TD_CTLS, .r8 = 0, .r9 = 1), ST_SUCCESS);
	is(TC(f, lp, tdg_vm_wr, .rdx = TD_CTLS, .r8 = 1, .r9 = 1), ST_FIELD_VALUE);
	eq(f->g.r8, 0);
	is(TC(f, lp, tdg_vm_rd, .rdx = TD_CTLS), ST_SUCCESS);
	eq(f->g.r8, 0);
}

static void notified(struct fx *f, struct sl_lp *lp)
{
	(void)lp;
	atomic_store(&fx_tdcs(f, &f->td[0])->notify_enables, 1);
}

static void guest_swap(struct fx *f, struct sl_lp *lp)
{
	fx_trap(f, f->td[0].tdcx[0], notified);
	is(TC(f, lp, tdg_vm_wr, .rdx = NOTIFY_ENABLES, .r8 = 0, .r9 = 1),
	   ST_BUSY(R_METADATA_FIELD));
	eq(f->traps, 1);
	eq(f->g.r8, 0);
	is(TC(f, lp, tdg_vm_wr, .rdx = NOTIFY_ENABLES, .r8 = 0, .r9 = 1), ST_SUCCESS);
	eq(f->g.r8, 1);
}

static void test_guest_swap_fails(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);
	struct fx_td *td = &f->td[0];

	(void)state;
	td_with(f, td, 0, 0);
	td_run(f, td, 1);
	is(fx_enter(f, 0, td->vcpu[0], guest_fixed), EXIT_VMCALL);
	is(fx_enter(f, 0, td->vcpu[0], guest_swap), EXIT_VMCALL);
	fx_down(f);
}

static void guest_cpuidve(struct fx *f, struct sl_lp *lp)
{
	const struct tdvps *vp = fx_tdvps(f, f->td[0].vcpu[0]);

	for (u64 flags = 0; flags < 4; flags++) {
		is(TC(f, lp, tdg_vp_cpuidve_set, .rcx = flags), ST_SUCCESS);
		eq(vp->cpuid_ve[0], flags & 1);
		eq(vp->cpuid_ve[1], flags >> 1);
	}
	is(TC(f, lp, tdg_vp_cpuidve_set, .rcx = 4), ST_INVALID(R_RCX));
	assert_true(vp->cpuid_ve[0] && vp->cpuid_ve[1]);
}

static void test_cpuidve(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);

	(void)state;
	fx_td_runnable(f, &f->td[0], 1);
	is(fx_enter(f, 0, f->td[0].vcpu[0], guest_cpuidve), EXIT_VMCALL);
	fx_down(f);
}

/* ---- vCPUs ---------------------------------------------------------------------------------- */

static void reads_other(struct fx *f, struct sl_lp *lp)
{
	(void)lp;
	/* The vCPU runs: its state says so before its association is looked at. */
	is(SC(f, 1, tdh_vp_rd, .rcx = f->td[0].vcpu[0], .rdx = VCPU_STATE), ST_VCPU_STATE);
	is(SC(f, 1, tdh_vp_wr, .rcx = f->td[0].vcpu[0], .rdx = PEND_NMI, .r8 = 1, .r9 = 1),
	   ST_VCPU_STATE);
}

static void test_association(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);
	struct fx_td *td = &f->td[0];
	struct tdvps *vp;

	(void)state;
	fx_td_runnable(f, td, 1);
	vp = fx_tdvps(f, td->vcpu[0]);
	is(fx_enter(f, 0, td->vcpu[0], reads_other), EXIT_VMCALL);
	is(SC(f, 1, tdh_vp_rd, .rcx = td->vcpu[0], .rdx = VCPU_STATE), ST_VCPU_ASSOCIATED);
	is(SC(f, 1, tdh_vp_wr, .rcx = td->vcpu[0], .rdx = PEND_NMI, .r9 = 1), ST_VCPU_ASSOCIATED);
	is(SC(f, 0, tdh_vp_flush, .rcx = td->vcpu[0]), ST_SUCCESS);
	/* Reading takes the vCPU, and a refused field keeps it: H16. */
	is(SC(f, 2, tdh_vp_rd, .rcx = td->vcpu[0], .rdx = NONE), ST_FIELD_ID);
	eq(atomic_load(&vp->assoc_lpid), 2);
	eq(atomic_load(&fx_tdcs(f, td)->num_assoc_vcpus), 1);
	is(SC(f, 0, tdh_vp_enter, .rcx = td->vcpu[0]), ST_VCPU_ASSOCIATED);
	is(SC(f, 2, tdh_vp_rd, .rcx = td->vcpu[0], .rdx = 0xA020000200000004), ST_SUCCESS);
	eq(f->out.r8, 2);
	eq(atomic_load(&fx_tdcs(f, td)->num_assoc_vcpus), 1);
	is(SC(f, 2, tdh_vp_flush, .rcx = td->vcpu[0]), ST_SUCCESS);
	/* And so does writing. */
	is(SC(f, 3, tdh_vp_wr, .rcx = td->vcpu[0], .rdx = VCPU_STATE, .r9 = 1),
	   ST_FIELD_NOT_WRITABLE);
	eq(atomic_load(&vp->assoc_lpid), 3);
	/* A vCPU that is past help may be read, not written. */
	atomic_store(&vp->state, VCPU_DISABLED);
	is(SC(f, 3, tdh_vp_rd, .rcx = td->vcpu[0], .rdx = VCPU_STATE), ST_SUCCESS);
	eq(f->out.r8, 8);
	is(SC(f, 3, tdh_vp_wr, .rcx = td->vcpu[0], .rdx = PEND_NMI, .r8 = 1, .r9 = 1),
	   ST_VCPU_STATE);
	fx_down(f);
}

static void test_pend_nmi(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);
	struct fx_td *td = &f->td[0];

	(void)state;
	fx_td_runnable(f, td, 1);
	is(SC(f, 0, tdh_vp_wr, .rcx = td->vcpu[0], .rdx = PEND_NMI, .r8 = 3, .r9 = 3), ST_SUCCESS);
	eq(f->out.r8, 0);
	is(SC(f, 0, tdh_vp_wr, .rcx = td->vcpu[0], .rdx = PEND_NMI, .r8 = 1, .r9 = 1), ST_SUCCESS);
	eq(f->out.r8, 1);
	/* The next entry delivers it. */
	is(fx_enter(f, 0, td->vcpu[0], NULL), EXIT_VMCALL);
	is(SC(f, 0, tdh_vp_rd, .rcx = td->vcpu[0], .rdx = PEND_NMI), ST_SUCCESS);
	eq(f->out.r8, 0);
	/* Nothing of a vCPU's list of faults is for a host in production. */
	is(SC(f, 0, tdh_vp_rd, .rcx = td->vcpu[0], .rdx = EPF_LIST), ST_FIELD_NOT_READABLE);
	eq(f->out.r8, 0);
	fx_down(f);
}

/* ---- pages ---------------------------------------------------------------------------------- */

static void rdmd_is(struct fx *f, u64 hpa, u64 type, u64 owner, u64 size, u64 bepoch)
{
	is(SC(f, 1, tdh_phymem_page_rdmd, .rcx = hpa, .rdx = 9, .r8 = 9, .r9 = 9, .r10 = 9,
	      .r11 = 9),
	   ST_SUCCESS);
	eq(f->out.rcx, type);
	eq(f->out.rdx, owner);
	eq(f->out.r8, size);
	eq(f->out.r9, bepoch);
	eq(f->out.r10 | f->out.r11, 0);
}

static void test_rdmd(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);
	struct fx_td *td = &f->td[0];
	u64 page = fx_page_high(f), sept;

	(void)state;
	fx_td_runnable(f, td, 1);
	rdmd_is(f, page, 0, 0, 0, 0);
	rdmd_is(f, td->tdr, 4, 0, 0, 0);
	rdmd_is(f, td->tdcx[0], 5, td->tdr, 0, 0);
	rdmd_is(f, td->vcpu[0], 6, td->tdr, 0, 0);
	fx_map(f, td, GPA, 0, page);
	sept = FX_HPA(FX_AT_SEPT + f->next_sept - 1);
	rdmd_is(f, page, 3, td->tdr, 0, 0);
	rdmd_is(f, sept, 8, td->tdr, 0, 0);
	is(SC(f, 0, tdh_mem_track, .rcx = td->tdr), ST_SUCCESS);
	is(SC(f, 0, tdh_mem_range_block, .rcx = GPA, .rdx = td->tdr), ST_SUCCESS);
	rdmd_is(f, page, 3, td->tdr, 0, 2);
	/* A BEPOCH is shown for pages that have one. */
	fx_pamt(f, td->tdcx[0], 0)->bepoch = 5;
	rdmd_is(f, td->tdcx[0], 5, td->tdr, 0, 0);
	fx_pamt(f, td->tdcx[0], 0)->bepoch = 0;
	/* Who had the page last stays there. */
	is(SC(f, 0, tdh_mem_track, .rcx = td->tdr), ST_SUCCESS);
	is(SC(f, 0, tdh_mem_page_remove, .rcx = GPA, .rdx = td->tdr), ST_SUCCESS);
	rdmd_is(f, page, 0, td->tdr, 0, 0);
	/* Any 4 KB page of a 2 MB page shows the whole; absent memory is reserved. */
	fx_aug(f, td, 0x80000000, 1, FX_HPA(FX_AT_HIGH_BIG));
	rdmd_is(f, FX_HPA(FX_AT_HIGH_BIG), 3, td->tdr, 1, 0);
	rdmd_is(f, FX_HPA(FX_AT_HIGH_BIG + 77), 3, td->tdr, 1, 0);
	rdmd_is(f, FX_HPA(FX_PAGES), 1, 0, 0, 0);
	is(SC(f, 0, tdh_phymem_page_rdmd, .rcx = page + 8, .rdx = 9), ST_INVALID(R_RCX));
	eq(f->out.rcx | f->out.rdx, 0);
	fx_down(f);
}

static void test_reclaimid(void **state)
{
	struct fx *f = fx_up(SL_PUBLISHED);

	(void)state;
	is(SC(f, 0, tdh_mng_key_reclaimid, .rcx = NONE, .rdx = 1), ST_SUCCESS);
	fx_td_runnable(f, &f->td[0], 1);
	is(SC(f, 3, tdh_mng_key_reclaimid, .rcx = f->td[0].tdr), ST_SUCCESS);
	eq(f->m->kot[f->td[0].hkid].state, KOT_ASSIGNED);
	fx_down(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_td_values),
		cmocka_unit_test(test_vp_values),
		cmocka_unit_test(test_sys_values),
		cmocka_unit_test(test_sys_info),
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_next_vp),
		cmocka_unit_test(test_hp_lock_timeout),
		cmocka_unit_test(test_debug_host),
		cmocka_unit_test(test_host_swap_fails),
		cmocka_unit_test(test_guest_fields),
		cmocka_unit_test(test_guest_swap_fails),
		cmocka_unit_test(test_cpuidve),
		cmocka_unit_test(test_association),
		cmocka_unit_test(test_pend_nmi),
		cmocka_unit_test(test_rdmd),
		cmocka_unit_test(test_reclaimid),
	};

	return cmocka_run_group_tests_name("module: metadata", tests, NULL, NULL);
}
