import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.apache.cassandra.utils.Clock;

/** Cassandra's clock, ahead of this machine's by the seconds in a file; its monotonic clock is this machine's. */
public final class SteppedClock implements Clock {
    private static final long POLL_MILLIS = 50;

    private final Path file = Path.of(System.getProperty("exam.clock.file"));
    private volatile long offsetMillis = read();

    public SteppedClock() {
        ScheduledExecutorService polling = Executors.newSingleThreadScheduledExecutor(task -> {
            Thread thread = new Thread(task, "stepped-clock");
            thread.setDaemon(true);
            return thread;
        });
        polling.scheduleWithFixedDelay(() -> offsetMillis = read(), POLL_MILLIS, POLL_MILLIS, TimeUnit.MILLISECONDS);
    }

    @Override
    public long nanoTime() {
        return System.nanoTime();
    }

    @Override
    public long currentTimeMillis() {
        return System.currentTimeMillis() + offsetMillis;
    }

    private long read() {
        try {
            return Math.round(Double.parseDouble(Files.readString(file).trim()) * 1000);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }
}
