// SPDX-License-Identifier: MIT
/*
 * Bringing the module up, from SYS.INIT to the last TDMR.INIT, in one lane and CPU by CPU: before
 * any VM exists nobody competes. Layer: host.
 */
#include "host/internal.h"

/* TDMR_INFO: base and size, then base and size of the PAMT of 1 GB, 2 MB and 4 KB entries. */
#define TDMR_BASE       0
#define TDMR_SIZE       1
#define TDMR_PAMT       2
#define PAMT_ENTRY_SIZE 16ull
/* Of R8 of SYS.CONFIG, beside the key id. */
#define CONFIG_DYNAMIC_PAMT BIT_ULL(16)
/* TDMR.INIT does 4 MB per call. */
#define TDMR_INIT_STEP (4ull << 20)

/* Where the PAMTs of the one TDMR would lie: behind it. */
static void tdmr_write(struct vmm *vmm, u64 size)
{
	u64 *array = sl_machine_shared(vmm->machine, SHARED_PA_TDMR_ARRAY);
	u64 *info = sl_machine_shared(vmm->machine, SHARED_PA_TDMR_INFO);
	u64 at = SL_PRIVATE_BASE + size;

	SL_BUG_ON(!array || !info);
	array[0] = SHARED_PA_TDMR_INFO;
	info[TDMR_BASE] = SL_PRIVATE_BASE;
	info[TDMR_SIZE] = size;
	for (u32 level = 3; level-- > 0;) {
		u64 entries = size >> SL_LEVEL_SHIFT(level);
		u64 bytes = sl_align_up(entries * PAMT_ENTRY_SIZE, SL_PAGE_SIZE);
		u64 *pair = &info[TDMR_PAMT + 2 * (2 - level)];

		pair[0] = at;
		pair[1] = bytes;
		at += bytes;
	}
}

static int sys_call(struct cpu *cpu, enum host_site site, u64 rcx, u64 rdx, u64 r8)
{
	struct tdx_module_args args = { .rcx = rcx, .rdx = rdx, .r8 = r8 };

	return status_errno(site_call(cpu, NULL, site, &args));
}

/* One SEAMCALL on CPUs 0 .. @count - 1, each in its turn. */
static int sys_call_each(struct vmm *vmm, struct sl_env *env, u32 count, enum host_site site)
{
	int ret = 0;

	for (u32 i = 0; i < count && !ret; i++) {
		struct cpu *cpu = cpu_take(vmm, i, env);

		ret = sys_call(cpu, site, 0, 0, 0);
		cpu_put(cpu);
	}
	return ret;
}

int vmm_bring_up(struct vmm *vmm, struct sl_env *env)
{
	u64 size = sl_align_up(vmm->private_pages << SL_PAGE_SHIFT, SL_LEVEL_SIZE(2));
	struct cpu *cpu;
	int ret;

	ret = sys_call_each(vmm, env, 1, HOST_SITE_sys_init);
	if (ret)
		return ret;
	ret = sys_call_each(vmm, env, vmm->cpu_count, HOST_SITE_sys_lp_init);
	if (ret)
		return ret;
	tdmr_write(vmm, size);
	cpu = cpu_take(vmm, 0, env);
	ret = sys_call(cpu, HOST_SITE_sys_config, SHARED_PA_TDMR_ARRAY, 1,
		       SL_HKID_PRIVATE | (vmm->pamt_refs ? CONFIG_DYNAMIC_PAMT : 0));
	cpu_put(cpu);
	if (ret)
		return ret;
	/* CPU p is on package p. */
	ret = sys_call_each(vmm, env, vmm->package_count, HOST_SITE_sys_key_config);
	if (ret)
		return ret;
	cpu = cpu_take(vmm, 0, env);
	for (u64 done = 0; done < size && !ret; done += TDMR_INIT_STEP)
		ret = sys_call(cpu, HOST_SITE_sys_tdmr_init, SL_PRIVATE_BASE, 0, 0);
	cpu_put(cpu);
	return ret;
}
