import java.net.InetAddress;
import java.net.Socket;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.SSLSocketFactory;

/** Speaks TLS to 127.0.0.1 for each "host:port" argument; one line each: "taken" or "refused" and why. */
class TrustProbe {
  public static void main(String[] places) throws Exception {
    SSLSocketFactory factory = (SSLSocketFactory) SSLSocketFactory.getDefault();
    for (String place : places) {
      int colon = place.lastIndexOf(':');
      String host = place.substring(0, colon);
      int port = Integer.parseInt(place.substring(colon + 1));
      try (Socket plain = new Socket(InetAddress.getLoopbackAddress(), port);
          SSLSocket socket = (SSLSocket) factory.createSocket(plain, host, port, true)) {
        SSLParameters parameters = socket.getSSLParameters();
        // What HttpsURLConnection does: the name is compared as RFC 2818 says.
        parameters.setEndpointIdentificationAlgorithm("HTTPS");
        socket.setSSLParameters(parameters);
        socket.startHandshake();
        System.out.println("taken");
      } catch (java.io.IOException error) {
        System.out.println("refused " + String.valueOf(error.getMessage()).replace('\n', ' '));
      }
    }
  }
}
