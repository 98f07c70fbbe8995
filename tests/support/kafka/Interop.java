import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Kafka's own client. `write BROKER TOPIC CODEC COUNT` stores COUNT values of one kilobyte that begin with their number.
 * `read BROKER COUNT TOPIC…` prints the records in partition 0 of each topic, one per line: the topic and the value in base64.
 */
public class Interop {
  public static void main(String[] args) throws Exception {
    if (args[0].equals("write")) write(args[1], args[2], args[3], Integer.parseInt(args[4]));
    else read(args[1], Integer.parseInt(args[2]), Arrays.asList(args).subList(3, args.length));
  }

  private static void write(String broker, String topic, String codec, int count) throws Exception {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", broker);
    settings.put("compression.type", codec);
    settings.put("batch.size", "500000");
    settings.put("linger.ms", "200");
    var bytes = new ByteArraySerializer();
    try (var producer = new KafkaProducer<>(settings, bytes, bytes)) {
      for (int i = 0; i < count; i++) {
        byte[] value = (i + ":" + "x".repeat(1000)).getBytes(StandardCharsets.UTF_8);
        producer.send(new ProducerRecord<>(topic, 0, null, value));
      }
    }
  }

  private static void read(String broker, int count, List<String> topics) {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", broker);
    var bytes = new ByteArrayDeserializer();
    try (var consumer = new KafkaConsumer<>(settings, bytes, bytes)) {
      var partitions = topics.stream().map(topic -> new TopicPartition(topic, 0)).toList();
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      for (int read = 0; read < count * topics.size(); ) {
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofSeconds(1))) {
          System.out.println(record.topic() + " " + Base64.getEncoder().encodeToString(record.value()));
          read++;
        }
      }
    }
  }
}
