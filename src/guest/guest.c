// SPDX-License-Identifier: MIT
/* The interpreter of guest programs. Layer: guest. */
#include "guest/guest.h"

#include "base/bug.h"
#include "base/stats.h"

/* Label of env_checkpoint(): all of the guest's state is in the arena. */
#define GUEST_CHECKPOINT 0x4700u

/* RIPs of the #VE handler lie above every program's. */
#define VE_HANDLER_RIP (1ull << 48)

enum ve_step {
	VE_NONE,
	VE_GET_INFO,
	VE_ACCEPT,
};

/* What became of one instruction. */
enum progress {
	STEP_NEXT,  /* done, go on */
	STEP_AGAIN, /* the same once more */
	STEP_LEAVE, /* a TD exit is pending, or #VE changed the flow: look again */
	STEP_SPLIT, /* again, in smaller pieces if there are any */
};

static bool is_control(enum guest_opcode code)
{
	return code == GUEST_LOOP || code == GUEST_END || code == GUEST_HALT ||
	       code == GUEST_OTHER_CALL;
}

/* One instruction, however many pages it is about. */
static bool is_span(enum guest_opcode code)
{
	return code == GUEST_TOUCH || code == GUEST_MAP_RANGE_SHARED ||
	       code == GUEST_MAP_RANGE_PRIVATE;
}

void guest_program_link(struct guest_op *ops, u32 count)
{
	u32 open[GUEST_LOOPS_MAX], depth = 0;
	u64 rip = 0;

	for (u32 i = 0; i < count; i++) {
		struct guest_op *op = &ops[i];
		bool one = is_control(op->code) || op->random || is_span(op->code);

		op->rip = rip;
		rip += one ? 1 : op->count;
		if (op->code == GUEST_LOOP) {
			SL_BUG_ON(depth == GUEST_LOOPS_MAX);
			open[depth++] = i;
		} else if (op->code == GUEST_END) {
			SL_BUG_ON(!depth);
			op->match = open[--depth];
			ops[op->match].match = i;
		}
	}
	SL_BUG_ON(depth);
}

void guest_reset(struct guest *g)
{
	g->op = 0;
	g->page = 0;
	g->has_picked = false;
	g->loop_depth = 0;
	g->busy_count = 0;
	g->pieces = 0;
	g->ve_step = VE_NONE;
	g->state = GUEST_RUNNING;
	g->why = 0;
}

static const struct guest_op *current(const struct guest *g)
{
	return &g->program->ops[g->op];
}

static u64 program_rip(const struct guest *g)
{
	const struct guest_op *op;

	if (g->op == g->program->count)
		return g->program->count
			       ? (g->program->ops[g->program->count - 1].rip + (1ull << 40)) * 2
			       : 0;
	op = current(g);
	return (op->rip + (is_span(op->code) || op->random ? 0 : g->page)) * 2;
}

static void set_rip(struct guest *g, struct sl_lp *lp, u64 rip)
{
	(void)g;
	if (sl_guest_rip(lp) != rip)
		sl_guest_set_rip(lp, rip);
}

static void fail(struct guest *g, u64 why)
{
	g->state = GUEST_FAILED;
	g->why = why;
}

/* The leaf that the current operation is about. */
static u64 target(struct guest *g)
{
	const struct guest_op *op = current(g);
	u64 index = g->page;

	if (op->random) {
		if (!g->has_picked) {
			/* Drawn once: a re-executed instruction goes to the same page. */
			g->picked = env_choose(g->env, SL_CHOICE_RANDOM_PAGE, (u32)op->count);
			g->has_picked = true;
		}
		index = g->picked;
	}
	return op->gpa + (index << SL_LEVEL_SHIFT(op->level));
}

/* The current page of the operation is done. */
static void advance(struct guest *g)
{
	const struct guest_op *op = current(g);

	g->busy_count = 0;
	g->has_picked = false;
	if (!is_control(op->code) && !op->random && ++g->page < op->count)
		return;
	g->page = 0;
	g->op++;
}

static void loop_begin(struct guest *g)
{
	const struct guest_op *op = current(g);

	SL_BUG_ON(g->loop_depth == GUEST_LOOPS_MAX);
	if (!op->times) {
		g->op = op->match + 1;
		return;
	}
	g->loops_left[g->loop_depth++] = op->times;
	g->op++;
}

static void loop_end(struct guest *g)
{
	u32 *left = &g->loops_left[g->loop_depth - 1];

	if (*left != GUEST_FOREVER)
		--*left;
	if (*left) {
		g->op = current(g)->match + 1;
		return;
	}
	g->loop_depth--;
	g->op++;
}

/* BUSY: what the guest's policy makes of it. */
static enum progress on_busy(struct guest *g, struct sl_lp *lp, u64 status)
{
	struct tdx_module_args args = { 0 };

	switch (g->program->on_busy) {
	case GUEST_BUSY_FATAL:
		fail(g, status);
		return STEP_LEAVE;
	case GUEST_BUSY_RETRY_N:
		if (++g->busy_count > g->program->busy_retries) {
			fail(g, status);
			return STEP_LEAVE;
		}
		break;
	case GUEST_BUSY_SPIN_OTHER:
		tdcall(lp, TDCALL_tdg_vp_info, &args);
		break;
	case GUEST_BUSY_RETRY:
		break;
	}
	env_pause(g->env);
	return STEP_AGAIN;
}

/* What a guest makes of the status of TDG.MEM.PAGE.ACCEPT. */
static enum progress accept_result(struct guest *g, struct sl_lp *lp, u64 status)
{
	if ((status & TDX_STATUS_CLASS_MASK) == TDX_SUCCESS ||
	    (status & TDX_STATUS_CLASS_MASK) == TDX_PAGE_ALREADY_ACCEPTED)
		return STEP_NEXT;
	if ((status & TDX_STATUS_CLASS_MASK) == TDX_OPERAND_BUSY)
		return on_busy(g, lp, status);
	if ((status & TDX_STATUS_CLASS_MASK) == TDX_PAGE_SIZE_MISMATCH)
		/* The host maps smaller pages, or raced (published ACCEPT). */
		return STEP_SPLIT;
	fail(g, status);
	return STEP_LEAVE;
}

static enum progress do_accept(struct guest *g, struct sl_lp *lp, u64 gpa, u8 level)
{
	struct tdx_module_args args = { .rcx = gpa | level };
	u64 status = tdcall(lp, TDCALL_tdg_mem_page_accept, &args);

	if (sl_guest_exit_pending(lp))
		return STEP_LEAVE;
	return accept_result(g, lp, status);
}

static void enter_ve_handler(struct guest *g, struct sl_lp *lp)
{
	g->ve_step = VE_GET_INFO;
	g->ve_rip = sl_guest_rip(lp);
}

/* A large page as a whole, or piece after piece where the host has split it. */
static enum progress accept_leaf(struct guest *g, struct sl_lp *lp, u64 gpa, u8 level)
{
	enum progress progress;

	if (!g->pieces) {
		progress = do_accept(g, lp, gpa, level);
		if (progress == STEP_SPLIT && level)
			g->pieces = SL_ENTRIES;
		return progress;
	}
	progress = do_accept(g, lp, gpa + (SL_ENTRIES - g->pieces) * SL_PAGE_SIZE, 0);
	if (progress == STEP_NEXT)
		return --g->pieces ? STEP_AGAIN : STEP_NEXT;
	if (progress == STEP_LEAVE)
		/* The host is asked: who knows what size it answers with. */
		g->pieces = 0;
	return progress;
}

static enum progress do_access(struct guest *g, struct sl_lp *lp, u64 gpa, bool write)
{
	u64 value = gpa;

	switch (sl_guest_access(lp, gpa, write, &value)) {
	case SL_ACCESS_OK:
		return STEP_NEXT;
	case SL_ACCESS_VE:
		enter_ve_handler(g, lp);
		return STEP_LEAVE;
	case SL_ACCESS_FATAL:
		fail(g, TDX_NON_RECOVERABLE_VCPU);
		return STEP_LEAVE;
	case SL_ACCESS_EXIT:
	default:
		return STEP_LEAVE;
	}
}

static enum progress do_attr(struct guest *g, struct sl_lp *lp, u32 leaf, u64 rcx)
{
	struct tdx_module_args args = { .rcx = rcx };
	u64 status = tdcall(lp, leaf, &args);

	if (sl_guest_exit_pending(lp))
		return STEP_LEAVE;
	if ((status & TDX_STATUS_CLASS_MASK) == TDX_OPERAND_BUSY)
		return on_busy(g, lp, status);
	if ((status & TDX_STATUS_CLASS_MASK) == TDX_PAGE_SIZE_MISMATCH)
		/* The host maps smaller pages here. */
		return STEP_AGAIN;
	if (status) {
		fail(g, status);
		return STEP_LEAVE;
	}
	return STEP_NEXT;
}

/* Where a report lies in its page, and the data that it carries. */
#define REPORT_AT      0
#define REPORT_DATA_AT 1024

/* A TDCALL that needs a lock and memory: what comes back. */
static enum progress mr_result(struct guest *g, struct sl_lp *lp, u64 status)
{
	if (sl_guest_exit_pending(lp))
		return STEP_LEAVE;
	if (sl_guest_ve_injected(lp)) {
		enter_ve_handler(g, lp);
		return STEP_LEAVE;
	}
	if ((status & TDX_STATUS_CLASS_MASK) == TDX_OPERAND_BUSY)
		return on_busy(g, lp, status);
	if (status) {
		fail(g, status);
		return STEP_LEAVE;
	}
	return STEP_NEXT;
}

static enum progress do_rtmr_extend(struct guest *g, struct sl_lp *lp, u64 gpa, u8 rtmr)
{
	struct tdx_module_args args = { .rcx = gpa, .rdx = rtmr };

	return mr_result(g, lp, tdcall(lp, TDCALL_tdg_mr_rtmr_extend, &args));
}

static enum progress do_report(struct guest *g, struct sl_lp *lp, u64 gpa)
{
	struct tdx_module_args args = { .rcx = gpa + REPORT_AT, .rdx = gpa + REPORT_DATA_AT };

	return mr_result(g, lp, tdcall(lp, TDCALL_tdg_mr_report, &args));
}

/* A VMCALL always leaves; its result is taken when the guest comes back. */
static enum progress do_vmcall(struct sl_lp *lp, u64 number, u64 r12, u64 r13)
{
	struct tdx_module_args args = {
		.rcx = GENMASK_ULL(15, 10), .r11 = number, .r12 = r12, .r13 = r13
	};

	tdcall(lp, TDCALL_tdg_vp_vmcall, &args);
	return STEP_LEAVE;
}

static enum progress do_map_gpa(struct sl_lp *lp, u64 gpa, u64 size, bool shared)
{
	return do_vmcall(lp, VMCALL_MAP_GPA, gpa | (shared ? BIT_ULL(47) : 0), size);
}

/* Of an operation on a range: leaves that it has not come to yet. */
static u64 pages_left(const struct guest *g)
{
	return current(g)->random ? 1 : current(g)->count - g->page;
}

/* The operation that converts a range is done with all of it, as far as the guest is concerned. */
static void range_done(struct guest *g)
{
	g->page = current(g)->count;
	advance(g);
}

/* A MapGPA of a range has come back. The host may have stopped half way, at the GPA in R11. */
static void range_result(struct guest *g, const struct tdx_module_args *args)
{
	const struct guest_op *op = current(g);
	u64 gpa = args->r11 & ~BIT_ULL(47);

	if (args->r10 != VMCALL_RETRY) {
		if (args->r10)
			fail(g, args->r10);
		else
			range_done(g);
		return;
	}
	if (g->program->on_map_retry == GUEST_MAP_IGNORE) {
		range_done(g);
		return;
	}
	if (g->program->on_map_retry == GUEST_MAP_RETRY_N &&
	    ++g->busy_count > g->program->map_retries) {
		fail(g, args->r10);
		return;
	}
	if (!op->random)
		g->page = (gpa - op->gpa) >> SL_LEVEL_SHIFT(op->level);
}

static enum progress other_call(struct sl_lp *lp)
{
	struct tdx_module_args args = { 0 };

	tdcall(lp, TDCALL_tdg_vp_info, &args);
	return sl_guest_exit_pending(lp) ? STEP_LEAVE : STEP_NEXT;
}

static enum progress execute(struct guest *g, struct sl_lp *lp)
{
	const struct guest_op *op = current(g);

	switch (op->code) {
	case GUEST_ACCEPT:
		return accept_leaf(g, lp, target(g), op->level);
	case GUEST_READ:
	case GUEST_TOUCH:
		return do_access(g, lp, target(g), false);
	case GUEST_WRITE:
		return do_access(g, lp, target(g), true);
	case GUEST_ATTR_RD:
		return do_attr(g, lp, TDCALL_tdg_mem_page_attr_rd, target(g));
	case GUEST_ATTR_WR:
		return do_attr(g, lp, TDCALL_tdg_mem_page_attr_wr, target(g) | op->level);
	case GUEST_RTMR_EXTEND:
		return do_rtmr_extend(g, lp, target(g), op->rtmr);
	case GUEST_REPORT:
		return do_report(g, lp, target(g));
	case GUEST_OTHER_CALL:
		return other_call(lp);
	case GUEST_MAP_GPA_SHARED:
		return do_map_gpa(lp, target(g), SL_LEVEL_SIZE(op->level), true);
	case GUEST_MAP_GPA_PRIVATE:
		return do_map_gpa(lp, target(g), SL_LEVEL_SIZE(op->level), false);
	case GUEST_MAP_RANGE_SHARED:
		return do_map_gpa(lp, target(g), pages_left(g) << SL_LEVEL_SHIFT(op->level), true);
	case GUEST_MAP_RANGE_PRIVATE:
		return do_map_gpa(lp, target(g), pages_left(g) << SL_LEVEL_SHIFT(op->level), false);
	case GUEST_HALT:
		return do_vmcall(lp, VMCALL_HLT, 0, 0);
	case GUEST_LOOP:
	case GUEST_END:
	default:
		SL_BUG_ON(1);
	}
	return STEP_LEAVE;
}

/* The #VE handler: read the information, accept the page, go back to the instruction. */
static void ve_handler(struct guest *g, struct sl_lp *lp)
{
	struct tdx_module_args args = { 0 };
	u64 status;

	set_rip(g, lp, VE_HANDLER_RIP + g->ve_step * 2ull);
	if (g->ve_step == VE_GET_INFO) {
		status = tdcall(lp, TDCALL_tdg_vp_veinfo_get, &args);
		if (sl_guest_exit_pending(lp))
			return;
		if (status || !g->program->accept_on_ve) {
			fail(g, status ? status : TDX_NON_RECOVERABLE_VCPU);
			return;
		}
		g->ve_gpa = args.r9 & ~SL_PAGE_MASK;
		g->ve_step = VE_ACCEPT;
		return;
	}
	if (do_accept(g, lp, g->ve_gpa, 0) != STEP_NEXT)
		return;
	g->ve_step = VE_NONE;
	set_rip(g, lp, g->ve_rip);
}

/* The guest comes back behind a TDCALL that left it. */
static void resume(struct guest *g, struct sl_lp *lp)
{
	struct tdx_module_args args;
	const struct guest_op *op;
	u64 rax;

	if (!sl_guest_tdcall_completed(lp, &rax, &args))
		return;
	if (g->ve_step != VE_NONE || g->op == g->program->count || g->state != GUEST_RUNNING)
		/* A timed-out ACCEPT in the handler starts over; DONE has no result. */
		return;
	op = current(g);
	switch (op->code) {
	case GUEST_HALT:
		advance(g);
		break;
	case GUEST_MAP_GPA_SHARED:
	case GUEST_MAP_GPA_PRIVATE:
		if (args.r10)
			fail(g, args.r10);
		else
			advance(g);
		break;
	case GUEST_MAP_RANGE_SHARED:
	case GUEST_MAP_RANGE_PRIVATE:
		range_result(g, &args);
		break;
	default:
		/* Host-priority timeout of a TDCALL that takes a lock: RAX says BUSY. */
		if ((rax & TDX_STATUS_CLASS_MASK & ~BIT_ULL(60)) == TDX_OPERAND_BUSY)
			on_busy(g, lp, rax);
		break;
	}
}

static void step(struct guest *g, struct sl_lp *lp)
{
	if (g->ve_step != VE_NONE) {
		ve_handler(g, lp);
		return;
	}
	while (g->op < g->program->count && current(g)->code == GUEST_LOOP)
		loop_begin(g);
	if (g->op < g->program->count && current(g)->code == GUEST_END) {
		set_rip(g, lp, program_rip(g));
		loop_end(g);
		return;
	}
	set_rip(g, lp, program_rip(g));
	if (g->op == g->program->count) {
		g->state = GUEST_DONE;
		return;
	}
	if (execute(g, lp) == STEP_NEXT)
		advance(g);
}

static void guest_run(struct sl_guest *base, struct sl_lp *lp)
{
	struct guest *g = (struct guest *)base;

	/* Raw SEAMCALLs may enter a vCPU from any lane. */
	if (g->env != sl_lp_env(lp))
		g->env = sl_lp_env(lp);
	resume(g, lp);
	for (;;) {
		env_checkpoint(g->env, GUEST_CHECKPOINT, 0, 0);
		if (sl_guest_exiting(lp))
			break;
		if (g->state == GUEST_RUNNING)
			step(g, lp);
		if (g->state != GUEST_RUNNING && !sl_guest_exit_pending(lp))
			do_vmcall(lp, VMCALL_DONE, g->state == GUEST_FAILED, g->why);
	}
}

void guest_init(struct guest *g, struct sl_env *env, const struct guest_program *program)
{
	*g = (struct guest){ .base = { .run = guest_run }, .env = env, .program = program };
	guest_reset(g);
}
