import java.nio.charset.StandardCharsets;
import java.util.Properties;
import java.util.concurrent.atomic.LongAdder;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Kafka's own Java client with default settings, acks=all and one thread. Arguments: broker, topic, event, seconds. */
public class JavaProducer {
  private static final long WARM_UP_NANOS = 3_000_000_000L;

  public static void main(String[] args) {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", args[0]);
    settings.put("acks", "all");
    byte[] event = args[2].getBytes(StandardCharsets.UTF_8);
    long nanos = (long) (Double.parseDouble(args[3]) * 1e9);
    var bytes = new ByteArraySerializer();
    try (var producer = new KafkaProducer<>(settings, bytes, bytes)) {
      run(producer, args[1], event, WARM_UP_NANOS);
      System.out.println(run(producer, args[1], event, nanos));
    }
  }

  private static String run(KafkaProducer<byte[], byte[]> producer, String topic, byte[] event, long nanos) {
    LongAdder stored = new LongAdder();
    LongAdder failed = new LongAdder();
    long began = System.nanoTime();
    while (System.nanoTime() - began < nanos) {
      for (int i = 0; i < 100; i++) {
        producer.send(new ProducerRecord<>(topic, event), (metadata, error) -> {
          (error == null ? stored : failed).increment();
        });
      }
    }
    producer.flush();
    double seconds = (System.nanoTime() - began) / 1e9;
    return String.format(
        java.util.Locale.ROOT,
        "{\"eventsPerSecond\":%.0f,\"failed\":%d}", stored.sum() / seconds, failed.sum());
  }
}
