/* SPDX-License-Identifier: MIT */
/* A machine with a TD, for programs whose threads enter its vCPUs. */
#ifndef TESTS_USER_TD_H
#define TESTS_USER_TD_H

#include <seamlab/explore.h>
#include <seamlab/seamcall.h>
#include <stdatomic.h>

typedef uint64_t u64;

#define GPA(n)     (0x40000000ull + (n)*4096ull)
#define TD_PAGE(n) (SL_PRIVATE_BASE + (n)*4096ull)
#define TDR        TD_PAGE(0)
#define TDVPR(n)   TD_PAGE(8 + (n)*8)
#define MEM(n)     TD_PAGE(32 + (n))
#define HKID       (SL_HKID_PRIVATE + 1)

static struct sl_machine *machine;

static inline u64 class_of(u64 status)
{
	return status & TDX_STATUS_CLASS_MASK;
}

static inline u64 call(u64 fn, u64 rcx, u64 rdx, u64 r8)
{
	struct tdx_module_args args = { .rcx = rcx, .rdx = rdx, .r8 = r8 };

	return __seamcall_ret(fn, &args);
}

static inline void done(u64 fn, u64 rcx, u64 rdx, u64 r8)
{
	sl_assert(!call(fn, rcx, rdx, r8));
}

static inline void bind(unsigned int lp)
{
	sl_assert(!sl_lp_bind(sl_machine_lp(machine, lp)));
}

/* For the guest: ACCEPT of a 4 KB page, again while it is BUSY. */
static inline u64 accept_page(u64 gpa)
{
	struct tdx_module_args args = { .rcx = gpa };
	u64 status;

	while (class_of(status = __tdcall(TDCALL_tdg_mem_page_accept, &args)) == TDX_OPERAND_BUSY)
		sl_guest_pause();
	return status;
}

static inline void td_bring_up(unsigned int lps)
{
	u64 *array = sl_machine_shared(machine, 0x1000), *info = sl_machine_shared(machine, 0x2000);

	bind(0);
	done(SEAMCALL_tdh_sys_init, 0, 0, 0);
	for (unsigned int i = 0; i < lps; i++) {
		bind(i);
		done(SEAMCALL_tdh_sys_lp_init, 0, 0, 0);
	}
	array[0] = 0x2000;
	info[0] = SL_PRIVATE_BASE;
	info[1] = 1ull << 30;
	done(SEAMCALL_tdh_sys_config, 0x1000, 1, SL_HKID_PRIVATE);
	done(SEAMCALL_tdh_sys_key_config, 0, 0, 0);
	for (int i = 0; i < 256; i++)
		done(SEAMCALL_tdh_sys_tdmr_init, SL_PRIVATE_BASE, 0, 0);
}

static inline void td_vcpu(unsigned int n, struct sl_guest *guest)
{
	done(SEAMCALL_tdh_vp_create, TDVPR(n), TDR, 0);
	for (u64 i = 1; i < 6; i++)
		done(SEAMCALL_tdh_vp_addcx, TDVPR(n) + i * 4096, TDVPR(n), 0);
	done(SEAMCALL_tdh_vp_init, TDVPR(n), 0, 0);
	done(SEAMCALL_tdh_vp_flush, TDVPR(n), 0, 0);
	sl_assert(guest && !sl_guest_bind(machine, TDVPR(n), guest));
}

/* A TD with S-EPT pages for the 2 MB at GPA(0), and no memory yet. */
static inline void td_make(unsigned int lps, unsigned int vcpus, struct sl_guest *const *guest)
{
	struct sl_machine_config config;
	u64 *params;

	sl_machine_config_init(&config);
	config.lps = lps;
	config.private_pages = 40;
	config.contents = true;
	machine = sl_machine_create(&config);
	sl_assert(machine);
	td_bring_up(lps);
	params = sl_machine_shared(machine, 0x3000);
	done(SEAMCALL_tdh_mng_create, TDR, HKID, 0);
	done(SEAMCALL_tdh_mng_key_config, TDR, 0, 0);
	for (u64 i = 1; i < 7; i++)
		done(SEAMCALL_tdh_mng_addcx, TD_PAGE(i), TDR, 0);
	params[1] = 3;
	params[2] = vcpus;
	params[3] = 6 | 3 << 3;
	params[5] = 80;
	done(SEAMCALL_tdh_mng_init, TDR, 0x3000, 0);
	for (unsigned int i = 0; i < vcpus; i++)
		td_vcpu(i, guest[i]);
	for (u64 level = 3; level > 0; level--)
		done(SEAMCALL_tdh_mem_sept_add,
		     (GPA(0) & ~((1ull << (12 + 9 * level)) - 1)) | level, TDR,
		     TD_PAGE(24 + level));
	done(SEAMCALL_tdh_mr_finalize, TDR, 0, 0);
}

#endif
