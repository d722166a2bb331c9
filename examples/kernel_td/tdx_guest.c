// SPDX-License-Identifier: MIT
/* The guest's side: accepting memory, the #VE handler, hypercalls. */
#include "tdx.h"

#ifndef RETRIES_MAX
#define RETRIES_MAX 1000000
#endif

u64 tdx_hypercall(u64 number, u64 r12, u64 r13)
{
	struct tdx_module_args args = {
		.rcx = TDVMCALL_REGISTERS, .r11 = number, .r12 = r12, .r13 = r13
	};

	if (__tdcall_saved_ret(TDCALL_tdg_vp_vmcall, &args))
		return ~0ull;
	return args.r10;
}

/* One page of @size, if the rest of the range is large enough and the host has it so. */
static u64 accept_one(u64 at, u64 left, int level)
{
	u64 size = PAGE_SIZE << (9 * level);
	struct tdx_module_args args = { .rcx = at | (u64)level };
	u64 status = 0;

	if (at & (size - 1) || left < size)
		return 0;
	for (int i = 0; i < RETRIES_MAX; i++) {
		status = __tdcall(TDCALL_tdg_mem_page_accept, &args);
		/* The host is at work on the very entry. */
		if (tdx_class(status) != TDX_OPERAND_BUSY)
			break;
		cpu_relax();
	}
	if (!status || tdx_class(status) == TDX_PAGE_ALREADY_ACCEPTED)
		return size;
	return 0;
}

bool tdx_accept_memory(u64 start, u64 end)
{
	while (start < end) {
		u64 size = accept_one(start, end - start, 1);

		if (!size)
			size = accept_one(start, end - start, 0);
		if (!size)
			return false;
		start += size;
	}
	return true;
}

bool tdx_handle_virt_exception(void)
{
	struct tdx_module_args args = { 0 };
	u64 gpa;

	if (__tdcall_ret(TDCALL_tdg_vp_veinfo_get, &args))
		return false;
	if (args.rcx != EXIT_REASON_EPT_VIOLATION)
		return false;
	gpa = args.r9 & ~(PAGE_SIZE - 1);
	return tdx_accept_memory(gpa, gpa + PAGE_SIZE);
}
