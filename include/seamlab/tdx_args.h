/* SPDX-License-Identifier: MIT */
/* The register file of a SEAMCALL or TDCALL. Self-contained, C and C++. */
#ifndef SEAMLAB_TDX_ARGS_H
#define SEAMLAB_TDX_ARGS_H

#include <stdint.h>

/* Register operands other than RAX, in the layout that kernels use. */
struct tdx_module_args {
	uint64_t rcx, rdx, r8, r9, r10, r11, r12, r13, r14, r15, rbx, rdi, rsi;
};

#endif
