"""Where results go, and how they get there so that nobody ever sees a part of one."""
