// SPDX-License-Identifier: MIT
/*
 * The run loop of a vCPU: enter the guest, see why it came out, do what is needed, go back.
 *
 * "Interrupts off" is the stretch between vcpu_enter_guest() publishing IN_GUEST and
 * vcpu_leave_guest() publishing OUTSIDE: no interrupt is taken there, so whoever kicks the vCPU
 * waits for its end. Nothing in that stretch sleeps or waits, the guest itself excepted, and a
 * TDH.VP.ENTER that was refused leaves the stretch like any exit. Layer: host.
 */
#include "host/internal.h"

#define MAP_GPA_CHUNK_PAGES 512ull
/* The user-return MSR: user space's value, which is also what the module leaves, and another VM's. */
#define USER_MSR_HOST  ((u64)SL_USER_MSR_RESET)
#define USER_MSR_OTHER 1ull

/* What an exit asks the run loop to do next, if it is no negative errno. */
enum exit_fate {
	EXIT_CONTINUE, /* enter again */
	EXIT_HANDLED,  /* nothing was run: let others run before entering again */
	EXIT_DONE,     /* the guest program is over */
};

/* The outcome of one TDH.VP.ENTER. */
struct vcpu_exit {
	bool entered;
	u8 busy;       /* what is to be done if it was BUSY: HOST_enter_on_busy_... */
	bool held_off; /* not entered, because of the keep-out flag */
	u64 status;
	struct tdx_module_args args;
};

static u32 vcpu_requests(struct vcpu *v)
{
	/* Acquire: pairs with vcpu_request(). */
	return atomic_load_explicit(&v->requests, memory_order_acquire);
}

static void vcpu_clear_request(struct vcpu *v, u32 request)
{
	/* Acquire: pairs with vcpu_request(); what came with the request is read after this. */
	atomic_fetch_and_explicit(&v->requests, ~request, memory_order_acquire);
}

static void vcpu_leave_guest(struct vcpu *v)
{
	/* Release: pairs with the look at mode in kick_all(); the exit is over. */
	atomic_store_explicit(&v->mode, VCPU_OUTSIDE, memory_order_release);
	/* Pairs with the fence in kick_all(): mode before kick here, kick before mode there. */
	atomic_thread_fence(memory_order_seq_cst);
	/*
	 * Acquire: pairs with the stores at the top of kick_all(): the next entry sees what the
	 * kicker wrote before it kicked. Release: pairs with the kicker's wait. In one go: where it is
	 * between a look and a store makes no difference to anybody.
	 */
	atomic_exchange_explicit(&v->kick, 0, memory_order_acq_rel);
}

/* What a look at the reasons not to enter has found. */
enum entry {
	ENTRY_GOES,
	ENTRY_HELD_OFF, /* by the keep-out flag */
	ENTRY_WANTED,   /* the thread is wanted: signal, the VM is dead, the root is obsolete */
};

static bool is_kept_out(struct vm *vm)
{
	/* Acquire: pairs with the store in keep_out_end(). */
	return atomic_load_explicit(&vm->keep_out, memory_order_acquire) != 0;
}

/* Publishes IN_GUEST and looks at everything that forbids to enter. */
static enum entry vcpu_enter_guest(struct vcpu *v, struct cpu *cpu)
{
	struct vm *vm = v->vm;

	/* Release: pairs with the looks at mode in kick.c. */
	atomic_store_explicit(&v->mode, VCPU_IN_GUEST + cpu->index, memory_order_release);
	/* Pairs with the fences in kick_all() (keep_out) and kick_one() (requests): mode before the
	 * loads here, the stores before mode there.
	 */
	keep_out_fence(vm, true);
	if (vcpu_requests(v) & (VCPU_REQ_SIGNAL | VCPU_REQ_DEAD | VCPU_REQ_ROOT))
		return ENTRY_WANTED;
	if (sl_unlikely(is_kept_out(vm))) {
		sl_count(cpu->env, SL_CTR_held_off);
		return ENTRY_HELD_OFF;
	}
	/* A posted interrupt goes in with the entry. */
	if (sl_unlikely(vcpu_requests(v) & VCPU_REQ_EVENT)) {
		vcpu_clear_request(v, VCPU_REQ_EVENT);
		v->interrupt = true;
	}
	return ENTRY_GOES;
}

/* What the user's policy says about a TDH.VP.ENTER that was BUSY, if it is asked. */
static void enter_busy_how(struct vcpu *v, struct cpu *cpu, const struct site_visit *visit,
			   struct vcpu_exit *exit)
{
	if (!policy_asks(v->vm->vmm->policy, POLICY_ON_ENTER))
		return;
	switch (policy_ask(cpu, v->vm, POLICY_ON_ENTER, HOST_SITE_enter, visit,
			   policy_count(visit->busy))) {
	case SL_ENTER_RUN_LOOP:
		exit->busy = HOST_enter_on_busy_run_loop;
		break;
	case SL_ENTER_RE_ENTER:
		exit->busy = HOST_enter_on_busy_re_enter;
		break;
	case SL_ENTER_FATAL:
		exit->busy = HOST_enter_on_busy_fatal;
		break;
	case SL_ENTER_KICK_ALL:
		exit->busy = HOST_enter_on_busy_kick_all;
		break;
	default:
		break;
	}
}

/* BUSY entries so far, where the user's policy may look at their number. */
static u64 enter_past(const struct vcpu *v, const struct site_visit *visit)
{
	return policy_asks(v->vm->vmm->policy, POLICY_ON_ENTER) ? policy_count(visit->busy) : 0;
}

/* ---- user-return MSRs ------------------------------------------------------------------------ */

/* Writes the MSR unless the host takes it to hold the value already. */
static void user_msr_set(struct cpu *cpu, u64 value)
{
	if (cpu->user_msr == value)
		return;
	sl_lp_set_user_msr(cpu->lp, value);
	cpu->user_msr = value;
}

static void user_msr_before_entry(struct vcpu *v, struct cpu *cpu)
{
	if (HOST_IS(v->vm->vmm->policy, user_msrs, write_before))
		user_msr_set(cpu, SL_USER_MSR_RESET);
}

static void user_msr_after_entry(struct vcpu *v, struct cpu *cpu)
{
	/* True if a guest has run, and only then. */
	if (HOST_IS(v->vm->vmm->policy, user_msrs, assume_after))
		cpu->user_msr = SL_USER_MSR_RESET;
}

/* The CPU comes from another VM, whose value nobody has had a reason to replace. */
static void user_msr_load(struct cpu *cpu)
{
	user_msr_set(cpu, USER_MSR_OTHER);
}

static void user_msr_to_user_space(struct vcpu *v, struct cpu *cpu)
{
	user_msr_set(cpu, USER_MSR_HOST);
	if (sl_lp_user_msr(cpu->lp) != USER_MSR_HOST)
		env_violate(
			cpu->env, SL_VIOLATION_ORACLE, "INV-MSR-01",
			"the thread of vCPU %u returns to user space with the MSR of another VM",
			v->index);
}

/* ---- entering -------------------------------------------------------------------------------- */

/* Hosts that look at the exit once more although nothing was run. */
static void exit_keep(struct vcpu *v, const struct vcpu_exit *exit)
{
	v->has_exited = true;
	v->exit_status = exit->status;
	v->exit_rdx = exit->args.rdx;
	v->exit_r8 = exit->args.r8;
	v->exit_r11 = exit->args.r11;
	v->exit_r12 = exit->args.r12;
	v->exit_r13 = exit->args.r13;
}

static void exit_stale(const struct vcpu *v, struct vcpu_exit *exit)
{
	exit->status = v->exit_status;
	exit->args = (struct tdx_module_args){ .rdx = v->exit_rdx,
					       .r8 = v->exit_r8,
					       .r11 = v->exit_r11,
					       .r12 = v->exit_r12,
					       .r13 = v->exit_r13 };
}

/* One look, one TDH.VP.ENTER. True: the policy wants to enter again at once. */
static bool vcpu_try_enter(struct vcpu *v, struct cpu *cpu, struct site_visit *visit,
			   struct vcpu_exit *exit)
{
	enum entry entry = vcpu_enter_guest(v, cpu);

	env_settle(cpu->env, HOST_SETTLED_LOOK, entry, 0);
	exit->entered = entry == ENTRY_GOES;
	exit->held_off = entry == ENTRY_HELD_OFF;
	if (exit->entered) {
		user_msr_before_entry(v, cpu);
		exit->args = (struct tdx_module_args){
			.rcx = v->tdvpr.v,
			.r10 = v->vmcall_r10,
			.r11 = v->vmcall_r11,
		};
		exit->status = site_try(cpu, v->vm, HOST_SITE_enter, &exit->args, visit);
		user_msr_after_entry(v, cpu);
	}
	exit->busy = v->vm->vmm->policy->sw[HOST_SWITCH_enter_on_busy];
	if (sl_unlikely(exit->entered && status_is_busy(exit->status)))
		enter_busy_how(v, cpu, visit, exit);
	if (sl_likely(exit->busy != HOST_enter_on_busy_re_enter))
		return false;
	return entry == ENTRY_HELD_OFF || (exit->entered && status_is_busy(exit->status));
}

/* Nothing was run, and the run loop does nothing about it but to come back. */
static bool is_idle(const struct vcpu *v, const struct vcpu_exit *exit)
{
	if (HOST_IS(v->vm->vmm->policy, held_off_exit, stale))
		return false;
	return !exit->entered ||
	       (status_is_busy(exit->status) && exit->busy == HOST_enter_on_busy_run_loop);
}

static void vcpu_enter_once(struct vcpu *v, struct cpu *cpu, struct site_visit *visit,
			    struct vcpu_exit *exit)
{
	/* A guest may run for long: nobody waits for it who only wants the host's readers gone. */
	srcu_read_unlock(cpu);
	while (vcpu_try_enter(v, cpu, visit, exit)) {
		env_checkpoint(cpu->env, HOST_CHECKPOINT_RUN, vcpu_id(v),
			       1 | enter_past(v, visit) << 1);
		env_pause(cpu->env);
	}
	if (is_idle(v, exit)) {
		if (exit->entered)
			sl_count(cpu->env, SL_CTR_enter_busy);
		/* Why makes no difference any more. */
		exit->entered = exit->held_off = false;
		env_checkpoint(cpu->env, HOST_CHECKPOINT_IDLE, vcpu_id(v), enter_past(v, visit));
	}
	env_mark(cpu->env);
	vcpu_leave_guest(v);
	env_settle(cpu->env, HOST_SETTLED_LEFT, 0, 0);
	cpu_open_interrupts(cpu);
	env_settle(cpu->env, HOST_SETTLED_LEFT, 1, 0);
	srcu_read_lock(cpu, v->vm);
}

/*
 * A vCPU's exit to user space and back, for what is user space's to decide. It takes slots_lock, whose
 * holder may wait for the end of this vCPU's read section.
 */
static int user_space_converts(struct vcpu *v, struct cpu *cpu, u64 gfn, u64 pages, bool shared)
{
	int ret;

	srcu_read_unlock(cpu);
	ret = vm_set_shared(v->vm, cpu, gfn, pages, shared);
	srcu_read_lock(cpu, v->vm);
	return ret;
}

static int user_space_waits(struct vcpu *v, struct cpu *cpu, u64 gfn)
{
	srcu_read_unlock(cpu);
	vcpu_wait_for_slot(v, cpu, gfn);
	srcu_read_lock(cpu, v->vm);
	return EXIT_CONTINUE;
}

/* ---- exits ----------------------------------------------------------------------------------- */

static int handle_map_gpa(struct vcpu *v, struct cpu *cpu, u64 gpa, u64 size)
{
	bool shared = (gpa & BIT_ULL(GPA_SHARED_BIT)) != 0;
	u64 gfn = (gpa & ~BIT_ULL(GPA_SHARED_BIT)) >> SL_PAGE_SHIFT;
	u64 pages = size >> SL_PAGE_SHIFT;
	u64 piece = HOST_IS(v->vm->vmm->policy, map_gpa_piece, page) ? 1 : MAP_GPA_CHUNK_PAGES;
	int ret;

	sl_count(cpu->env, SL_CTR_map_gpa);
	v->vmcall_r11 = gpa;
	if (((gpa | size) & SL_PAGE_MASK) || !pages || gfn > v->vm->pages ||
	    pages > v->vm->pages - gfn) {
		v->vmcall_r10 = VMCALL_INVALID;
		return EXIT_CONTINUE;
	}
	while (pages) {
		u64 chunk = pages < piece ? pages : piece;

		ret = user_space_converts(v, cpu, gfn, chunk, shared);
		if (ret)
			return ret;
		gfn += chunk;
		pages -= chunk;
		v->vmcall_r11 += chunk << SL_PAGE_SHIFT;
		/*
		 * A long conversion is cut short when the thread is wanted; the guest comes back.
		 */
		if (pages && (vcpu_requests(v) & (VCPU_REQ_SIGNAL | VCPU_REQ_EVENT))) {
			v->vmcall_r10 = VMCALL_RETRY;
			return EXIT_CONTINUE;
		}
	}
	return EXIT_CONTINUE;
}

static int handle_vmcall(struct vcpu *v, struct cpu *cpu, const struct tdx_module_args *args)
{
	v->vmcall_r10 = 0;
	v->vmcall_r11 = 0;
	switch (args->r11) {
	case VMCALL_HLT:
		v->halted = true;
		return EXIT_CONTINUE;
	case VMCALL_MAP_GPA:
		return handle_map_gpa(v, cpu, args->r12, args->r13);
	case VMCALL_DONE:
		v->done = true;
		v->failed = args->r12 != 0;
		v->why = args->r13;
		return EXIT_DONE;
	default:
		return EXIT_CONTINUE;
	}
}

/*
 * Memory fault exit: no memory there, or the guest used as private what it had made shared. User
 * space converts the leaf back.
 */
static int handle_memory_fault(struct vcpu *v, struct cpu *cpu, u64 gfn)
{
	int level = vm_gfn_level(v->vm, gfn);
	int ret;

	if (level < 0) {
		vm_kill(cpu, v->vm, host_site_name(HOST_SITE_enter),
			"vCPU %u touched 0x%llx, where no memory is", v->index,
			(unsigned long long)gfn << SL_PAGE_SHIFT);
		return -EIO;
	}
	if (HOST_IS(v->vm->vmm->policy, memory_fault, kill)) {
		vm_kill(cpu, v->vm, host_site_name(HOST_SITE_enter),
			"vCPU %u touched 0x%llx as private, which is shared", v->index,
			(unsigned long long)gfn << SL_PAGE_SHIFT);
		return -EIO;
	}
	ret = user_space_converts(v, cpu, gfn & ~(SL_LEVEL_PAGES(level) - 1), SL_LEVEL_PAGES(level),
				  false);
	return ret ? ret : EXIT_CONTINUE;
}

static int handle_ept_violation(struct vcpu *v, struct cpu *cpu, const struct tdx_module_args *args)
{
	u64 gfn = args->r8 >> SL_PAGE_SHIFT;
	bool small = (args->rdx & 0xF) == TDX_EEQ_ACCEPT && !(args->rdx >> 32 & 7);
	int ret;

	if ((args->rdx & 0xF) == TDX_EEQ_PENDING &&
	    HOST_IS(v->vm->vmm->policy, pending_fault, kill)) {
		/*
		 * The guest touched what it has not accepted, with #VE off: it would do so for
		 * ever.
		 */
		vm_kill(cpu, v->vm, host_site_name(HOST_SITE_enter),
			"vCPU %u touched the pending page at 0x%llx with #VE disabled", v->index,
			(unsigned long long)args->r8);
		return -EIO;
	}
	ret = fault_handle(v, cpu, gfn, small);
	if (ret == -ENOENT)
		return user_space_waits(v, cpu, gfn);
	if (ret == -EFAULT)
		return handle_memory_fault(v, cpu, gfn);
	return ret ? ret : EXIT_CONTINUE;
}

static int kill_on_enter(struct vcpu *v, struct cpu *cpu, u64 status)
{
	vm_kill(cpu, v->vm, host_site_name(HOST_SITE_enter), "TDH.VP.ENTER of vCPU %u: %s",
		v->index, status_text(status).text);
	return -EIO;
}

static int handle_busy(struct vcpu *v, struct cpu *cpu, const struct vcpu_exit *exit)
{
	u64 gfn;
	int ret;

	sl_count(cpu->env, SL_CTR_enter_busy);
	if (exit->busy == HOST_enter_on_busy_fatal)
		return kill_on_enter(v, cpu, exit->status);
	if (exit->busy != HOST_enter_on_busy_kick_all ||
	    (u32)exit->status != TDX_OPERAND_ID_SEPT_TREE)
		return EXIT_HANDLED;
	/* The sign that zero-step bites, here or on another vCPU. */
	ret = fault_kick_and_retry(v, cpu, &gfn);
	if (ret == -ENOENT)
		return user_space_waits(v, cpu, gfn);
	if (ret == -EFAULT)
		return handle_memory_fault(v, cpu, gfn);
	return ret ? ret : EXIT_HANDLED;
}

static int handle_hp_timeout(struct vcpu *v, struct cpu *cpu, u64 status)
{
	const struct host_policy *policy = v->vm->vmm->policy;

	sl_count(cpu->env, SL_CTR_hp_timeouts);
	if (HOST_IS(policy, on_hp_timeout, fatal))
		return kill_on_enter(v, cpu, status);
	if (HOST_IS(policy, on_hp_timeout, replay))
		fault_replay_owed(v->vm, cpu);
	return EXIT_HANDLED;
}

/* TDH.VP.ENTER was refused, or ended the TD or the vCPU. */
static int handle_error(struct vcpu *v, struct cpu *cpu, const struct vcpu_exit *exit)
{
	u64 status = exit->status;

	if (status_is_busy(status))
		return handle_busy(v, cpu, exit);
	if (status == TDX_UNINITIALIZE_ERROR) {
		/* Reported by the module. */
		vm_mark_dead(v->vm);
		return -EIO;
	}
	if (status_class(status) == TDX_HOST_PRIORITY_BUSY_TIMEOUT)
		return handle_hp_timeout(v, cpu, status);
	return kill_on_enter(v, cpu, status);
}

static int handle_outcome(struct vcpu *v, struct cpu *cpu, const struct vcpu_exit *exit)
{
	if (sl_unlikely(status_class(exit->status) != TDX_SUCCESS))
		return handle_error(v, cpu, exit);
	switch (exit->status & 0xFFFF) {
	case EXIT_REASON_EXTERNAL_INTERRUPT:
		return EXIT_CONTINUE;
	case EXIT_REASON_EPT_VIOLATION:
		return handle_ept_violation(v, cpu, &exit->args);
	case EXIT_REASON_TDCALL:
		return handle_vmcall(v, cpu, &exit->args);
	default:
		vm_kill(cpu, v->vm, host_site_name(HOST_SITE_enter),
			"vCPU %u: unexpected exit reason %u", v->index,
			(u32)(exit->status & 0xFFFF));
		return -EIO;
	}
}

static int handle_exit(struct vcpu *v, struct cpu *cpu, struct vcpu_exit *exit)
{
	bool stale = HOST_IS(v->vm->vmm->policy, held_off_exit, stale);

	if (stale && exit->entered)
		exit_keep(v, exit);
	if (stale && exit->held_off && v->has_exited) {
		exit_stale(v, exit);
		return handle_outcome(v, cpu, exit);
	}
	return exit->entered ? handle_outcome(v, cpu, exit) : EXIT_HANDLED;
}

/* ---- the loop -------------------------------------------------------------------------------- */

/* Sleeps until something is wanted of the vCPU. The CPU is free for others meanwhile. */
static void vcpu_halt(struct vcpu *v, struct cpu *cpu)
{
	struct sl_env *env = cpu->env;

	if (!v->interrupt && !vcpu_requests(v)) {
		srcu_read_unlock(cpu);
		cpu_put(cpu);
		while (!vcpu_requests(v))
			env_wait_while(env, &v->requests, 0);
		cpu_take(v->vm->vmm, cpu->index, env);
		srcu_read_lock(cpu, v->vm);
	}
	if (vcpu_requests(v) & VCPU_REQ_EVENT) {
		vcpu_clear_request(v, VCPU_REQ_EVENT);
		v->interrupt = true;
	}
	if (v->interrupt) {
		v->interrupt = false;
		v->halted = false;
	}
}

/* Reasons to leave that do not come from the guest. 0, -EINTR or -EIO. */
static int vcpu_check_requests(struct vcpu *v)
{
	u32 requests = vcpu_requests(v);

	/* The next fault gets a new root. */
	if (sl_unlikely(requests & (VCPU_REQ_ROOT | VCPU_REQ_SLOTS)))
		vcpu_clear_request(v, VCPU_REQ_ROOT | VCPU_REQ_SLOTS);
	if (sl_likely(!(requests & (VCPU_REQ_SIGNAL | VCPU_REQ_DEAD))))
		return 0;
	if (requests & VCPU_REQ_DEAD)
		return -EIO;
	vcpu_clear_request(v, VCPU_REQ_SIGNAL);
	return -EINTR;
}

void vcpu_lock(struct vcpu *v, struct cpu *cpu)
{
	struct sl_env *env = cpu->env;

	for (;;) {
		u32 free = 0;

		/* Acquire: pairs with vcpu_unlock(). */
		if (atomic_compare_exchange_strong_explicit(
			    &v->mutex, &free, 1, memory_order_acquire, memory_order_relaxed))
			return;
		cpu_put(cpu);
		env_wait_while(env, &v->mutex, 1);
		cpu_take(v->vm->vmm, cpu->index, env);
	}
}

bool vcpu_trylock(struct vcpu *v)
{
	u32 free = 0;

	/* Acquire: pairs with vcpu_unlock(). */
	return atomic_compare_exchange_strong_explicit(&v->mutex, &free, 1, memory_order_acquire,
						       memory_order_relaxed);
}

void vcpu_unlock(struct vcpu *v)
{
	/* Release: pairs with vcpu_lock() and vcpu_trylock(). */
	atomic_store_explicit(&v->mutex, 0, memory_order_release);
}

static int vcpu_reload(struct vcpu *v, struct cpu *cpu)
{
	cpu->flushed = false;
	return vcpu_load(v, cpu);
}

static int vcpu_run_locked(struct vcpu *v, struct cpu *cpu)
{
	struct site_visit visit = { 0 };
	struct vcpu_exit exit;
	int ret;

	/* Acquire: pairs with the store of RUNNABLE in vm_populate(). */
	if (atomic_load_explicit(&v->vm->state, memory_order_acquire) != VM_RUNNABLE)
		return -EIO;
	cpu_open_interrupts(cpu);
	ret = vcpu_reload(v, cpu);
	if (ret)
		return ret;
	user_msr_load(cpu);
	srcu_read_lock(cpu, v->vm);
	while (!ret) {
		env_checkpoint(cpu->env, HOST_CHECKPOINT_RUN, vcpu_id(v),
			       enter_past(v, &visit) << 1);
		if (v->done)
			break;
		ret = vcpu_check_requests(v);
		if (ret)
			break;
		if (v->halted) {
			vcpu_halt(v, cpu);
			continue;
		}
		/* A CPU that goes offline takes the vCPUs off itself; this one may be among them. */
		if (cpu->flushed && (ret = vcpu_reload(v, cpu)))
			break;
		vcpu_enter_once(v, cpu, &visit, &exit);
		if (exit.entered && !status_is_busy(exit.status))
			site_visit_end(cpu, HOST_SITE_enter, &visit);
		ret = handle_exit(v, cpu, &exit);
		if (ret == EXIT_HANDLED) {
			env_checkpoint(cpu->env, HOST_CHECKPOINT_PAUSE, vcpu_id(v),
				       enter_past(v, &visit) << 1);
			env_pause(cpu->env);
		}
		if (ret > 0)
			ret = 0;
	}
	srcu_read_unlock(cpu);
	user_msr_to_user_space(v, cpu);
	site_visit_end(cpu, HOST_SITE_enter, &visit);
	return ret;
}

int vcpu_run(struct vcpu *v, struct cpu *cpu)
{
	int ret;

	vcpu_lock(v, cpu);
	ret = vm_key_is_gone(v->vm, true) ? -EIO : vcpu_run_locked(v, cpu);
	vcpu_unlock(v);
	return ret;
}
