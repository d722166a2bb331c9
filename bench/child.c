// SPDX-License-Identifier: MIT
/* Other programs, and sections in processes of their own: how long they take, and how much memory. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUT_MAX (64u << 20)

bool bench_has(const char *name)
{
	const char *path = getenv("PATH");
	char file[4096];

	if (strchr(name, '/'))
		return !access(name, X_OK);
	while (path && *path) {
		size_t len = strcspn(path, ":");
		int n = snprintf(file, sizeof(file), "%.*s/%s", (int)len, path, name);

		if (n > 0 && (size_t)n < sizeof(file) && !access(file, X_OK))
			return true;
		path += len + (path[len] == ':');
	}
	return false;
}

const char *bench_cc(void)
{
	return bench_has("gcc") ? "gcc" : bench_has("clang") ? "clang" : "cc";
}

/* All that comes from @fd, until it ends, @limit seconds have passed, or somebody interrupts. */
static char *read_all(int fd, double limit, bool *ended)
{
	size_t used = 0, room = 1 << 16;
	char *text = malloc(room);
	double start = bench_seconds();

	*ended = false;
	while (text && !bench_interrupted() && (limit <= 0 || bench_seconds() - start < limit)) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t n;

		if (poll(&p, 1, 100) <= 0)
			continue;
		n = read(fd, text + used, room - used - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			*ended = true;
			break;
		}
		used += (size_t)n;
		if (room - used < 2 && room < OUT_MAX) {
			char *more = realloc(text, room * 2);

			if (!more)
				break;
			text = more;
			room *= 2;
		}
	}
	if (text)
		text[used] = '\0';
	return text;
}

__attribute__((noreturn)) static void become(const struct bench_run *r, int out)
{
	int null = open("/dev/null", O_RDWR);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
	    dup2(r->quiet ? null : out, STDERR_FILENO) < 0 || (r->folder && chdir(r->folder)))
		_exit(127);
	execvp(r->argv[0], (char *const *)(uintptr_t)r->argv);
	_exit(127);
}

bool bench_child(const struct bench_run *r, struct bench_done *d)
{
	struct rusage usage;
	int out[2], status;
	double start;
	bool ended;
	pid_t pid;

	*d = (struct bench_done){ .status = -1 };
	if (pipe2(out, O_CLOEXEC))
		return false;
	start = bench_seconds();
	pid = fork();
	if (!pid)
		become(r, out[1]);
	close(out[1]);
	if (pid < 0) {
		close(out[0]);
		return false;
	}
	d->out = read_all(out[0], r->limit, &ended);
	close(out[0]);
	if (!ended)
		kill(pid, SIGKILL);
	while (wait4(pid, &status, 0, &usage) < 0 && errno == EINTR)
		;
	d->seconds = bench_seconds() - start;
	d->bytes = (u64)usage.ru_maxrss * 1024;
	d->status = ended && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	return d->out && d->status != 127;
}

json_t *bench_apart(bench_section *section, const struct bench_options *o)
{
	json_t *result = NULL;
	int out[2], status;
	char *text;
	bool ended;
	pid_t pid;

	fflush(NULL);
	if (pipe2(out, O_CLOEXEC))
		return NULL;
	pid = fork();
	if (!pid) {
		FILE *f = fdopen(out[1], "w");

		result = section(o);
		if (!f || !result || json_dumpf(result, f, 0) || fclose(f))
			_exit(1);
		_exit(0);
	}
	close(out[1]);
	if (pid < 0) {
		close(out[0]);
		return NULL;
	}
	text = read_all(out[0], 0, &ended);
	close(out[0]);
	if (!ended)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (ended && text && WIFEXITED(status) && !WEXITSTATUS(status))
		result = json_loads(text, 0, NULL);
	free(text);
	if (result || bench_interrupted())
		return result;
	return json_pack("{s:s}", "error", "the process that measured it did not end well");
}
